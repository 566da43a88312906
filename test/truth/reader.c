/*
 * The control: a client in C that does what a trial asks of yodel, and says what it saw. What it
 * reads late, a program that sleeps until something comes cannot read in time on this machine.
 *
 *   reader PORT SIZE CONNECTIONS DEPTH RATE even|poisson WARMUP DURATION TIMEOUT
 *
 * RATE is messages per second over all connections, 0 for a closed loop; times are in milliseconds.
 * One thread, which sleeps in epoll_wait(2). For each message of the window that was answered it
 * prints a line: the instants at which it was planned, sent and received, in nanoseconds.
 */
#define _GNU_SOURCE
#include <math.h>
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

#define RING 4096

typedef struct {
  int64_t planned, sent, came;
} message;

typedef struct {
  int fd;
  size_t have;
  /* What is planned and not sent yet, then what is under way: places of `plan`. */
  long deferred_first, deferred_end, flying_first, flying_end;
  message deferred[RING], flying[RING];
} client;

static client *clients;
static long connections, depth, flying;
static size_t size;
static char *bytes;
static double rate;
static message *seen;
static long seen_count, seen_most = 1 << 22;

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void send_one(client *c, int64_t planned) {
  int64_t at = now();
  if (send(c->fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size) exit(1);
  c->flying[c->flying_end++ % RING] = (message){planned ? planned : at, at, 0};
  flying++;
}

static void fill(client *c) {
  while (c->deferred_first < c->deferred_end && c->flying_end - c->flying_first < depth)
    send_one(c, c->deferred[c->deferred_first++ % RING].planned);
}

static void receive(client *c, int64_t end) {
  static char into[1 << 16];
  ssize_t length = recv(c->fd, into, sizeof into, MSG_DONTWAIT);
  if (length < 0) return;
  if (length == 0) exit(1);
  int64_t at = now();
  for (c->have += length; c->have >= size; c->have -= size) {
    message m = c->flying[c->flying_first++ % RING];
    m.came = at;
    flying--;
    if (seen_count < seen_most) seen[seen_count++] = m;
    if (rate == 0 && at < end) send_one(c, 0);
  }
  fill(c);
}

int main(int argc, char **argv) {
  if (argc != 10) return 2;
  int port = atoi(argv[1]);
  size = strtoul(argv[2], NULL, 10);
  connections = atol(argv[3]);
  depth = atol(argv[4]);
  rate = atof(argv[5]);
  int even = strcmp(argv[6], "even") == 0;
  double warmup = atof(argv[7]) * 1e6, duration = atof(argv[8]) * 1e6;
  double timeout = atof(argv[9]) * 1e6;
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1);
  bytes = calloc(1, size);
  clients = calloc(connections, sizeof *clients);
  seen = malloc(seen_most * sizeof *seen);
  int poller = epoll_create1(0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (long n = 0; n < connections; n++) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (void *)&address, sizeof address) != 0) return 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    clients[n].fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[n]};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
  }
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct epoll_event wake = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(poller, EPOLL_CTL_ADD, timer, &wake);

  int64_t start = now() + 20000000, end = start + warmup + duration, last = end + timeout;
  long planned = 0;
  double due = start;
  for (int begun = 0;;) {
    int64_t at = now(), next = last;
    if (!begun && at >= start) {
      begun = 1;
      for (long n = 0; rate == 0 && n < connections * depth; n++) send_one(&clients[n / depth], 0);
    }
    if (!begun) next = start;
    while (rate > 0 && due < end - 1) {
      if (due > at) {
        next = due;
        break;
      }
      client *c = &clients[planned++ % connections];
      c->deferred[c->deferred_end++ % RING] = (message){due, 0, 0};
      fill(c);
      due = even ? start + planned * 1e9 / rate : due - log(1 - drand48()) * 1e9 / rate;
      at = now();
    }
    if (at >= last || (at >= end && flying == 0)) break;
    if (at < end && next > end) next = end;
    struct itimerspec until = {.it_value = {next / 1000000000, next % 1000000000}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &until, NULL);
    struct epoll_event events[64];
    int n = epoll_wait(poller, events, 64, -1);
    for (int each = 0; each < n; each++)
      if (events[each].data.ptr) receive(events[each].data.ptr, end);
  }
  for (long n = 0; n < seen_count; n++)
    if (seen[n].planned >= start + warmup && seen[n].planned < end)
      printf("%ld %ld %ld\n", (long)seen[n].planned, (long)seen[n].sent, (long)seen[n].came);
  return 0;
}
