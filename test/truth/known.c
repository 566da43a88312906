/*
 * A server whose behaviour is known: known SIZE KIND NUMBERS... It takes messages of SIZE bytes of
 * TCP and lets each reply go when its kind says so (behaviour.ts describes them; times are in
 * microseconds). One thread, which sleeps until the next one is due.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NEVER INT64_MAX
#define CONNECTIONS 1024

typedef struct message {
  struct message *next;
  int64_t due;
  char bytes[];
} message;

typedef struct {
  int fd;
  int open;
  size_t have;
  char *partial;
  int64_t order;
  long answered;
  message *first, *last;
} client;

static size_t size;
static const char *kind;
static double number[3];
static client clients[CONNECTIONS];
static long count;
static int64_t free_at;
static client *eldest;

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int is(const char *name) { return strcmp(kind, name) == 0; }

static int64_t us(double value) { return (int64_t)(value * 1000); }

/* When the reply to what has come now is due. */
static int64_t due(client *c, int64_t at) {
  long n = ++count;
  if (eldest == NULL) eldest = c;
  if (is("fixed")) return at + us(number[0]);
  if (is("spread")) {
    double share = n * 0.6180339887;
    share -= (long)share;
    return at + us(number[0] + (number[1] - number[0]) * share);
  }
  if (is("bimodal")) return at + us(n % (long)number[2] == 0 ? number[1] : number[0]);
  if (is("paused")) {
    int64_t within = at % us(number[0]);
    return within < us(number[1]) ? at - within + us(number[1]) : at;
  }
  if (is("queue")) {
    free_at = (free_at > at ? free_at : at) + us(number[0]);
    return free_at;
  }
  if (is("straggler")) return at + us(n == (long)number[2] ? number[1] : number[0]);
  if (is("dies")) {
    if (c == eldest && ++c->answered > (long)number[1]) return NEVER;
    return at + us(number[0]);
  }
  fprintf(stderr, "known: due() in known.c has no case for the kind '%s'\n", kind);
  exit(2);
}

static void hang_up(client *c) {
  close(c->fd);
  c->open = 0;
  while (c->first) {
    message *m = c->first;
    c->first = m->next;
    free(m);
  }
  c->last = NULL;
}

static void receive(client *c) {
  char bytes[65536];
  ssize_t length = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (length < 0 && errno == EAGAIN) return;
  if (length <= 0) {
    hang_up(c);
    return;
  }
  int64_t at = now();
  for (ssize_t from = 0; from < length;) {
    size_t part = size - c->have;
    if (part > (size_t)(length - from)) part = length - from;
    memcpy(c->partial + c->have, bytes + from, part);
    c->have += part;
    from += part;
    if (c->have < size) break;
    c->have = 0;
    int64_t when = due(c, at);
    /* A stream has an order. */
    if (when < c->order) when = c->order;
    c->order = when;
    message *m = malloc(sizeof *m + size);
    m->next = NULL;
    m->due = when;
    memcpy(m->bytes, c->partial, size);
    if (c->last) c->last->next = m;
    else c->first = m;
    c->last = m;
  }
}

/* Lets go what is due; when the next one is. */
static int64_t reply(void) {
  int64_t next = NEVER;
  for (int n = 0; n < CONNECTIONS; n++) {
    client *c = &clients[n];
    if (!c->open) continue;
    while (c->first && c->first->due <= now()) {
      message *m = c->first;
      if (send(c->fd, m->bytes, size, MSG_NOSIGNAL) != (ssize_t)size) {
        hang_up(c);
        break;
      }
      c->first = m->next;
      if (!c->first) c->last = NULL;
      free(m);
    }
    if (c->open && c->first && c->first->due < next) next = c->first->due;
  }
  return next;
}

static void admit(int listener, int poller) {
  int fd = accept(listener, NULL, NULL);
  if (fd < 0) return;
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  for (int n = 0; n < CONNECTIONS; n++) {
    client *c = &clients[n];
    if (c->open) continue;
    char *partial = c->partial ? c->partial : malloc(size);
    *c = (client){.fd = fd, .open = 1, .partial = partial};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    return;
  }
  close(fd);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  size = strtoul(argv[1], NULL, 10);
  kind = argv[2];
  for (int n = 3; n < argc && n < 6; n++) number[n - 3] = strtod(argv[n], NULL);
  signal(SIGPIPE, SIG_IGN);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(listener, (void *)&address, length) != 0 || listen(listener, 1024) != 0) return 1;
  getsockname(listener, (void *)&address, &length);
  printf("listening on %d\n", ntohs(address.sin_port));
  fflush(stdout);
  int poller = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  prctl(PR_SET_TIMERSLACK, 1);
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  event.data.ptr = &timer;
  epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event);
  for (;;) {
    int64_t next = reply();
    struct itimerspec until = {0};
    if (next != NEVER) until.it_value = (struct timespec){next / 1000000000, next % 1000000000};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &until, NULL);
    struct epoll_event events[64];
    int n = epoll_wait(poller, events, 64, -1);
    for (int each = 0; each < n; each++) {
      if (events[each].data.ptr == NULL) admit(listener, poller);
      else if (events[each].data.ptr != &timer) receive(events[each].data.ptr);
    }
  }
}
