/*
 * An HTTP/1.1 server that answers each request with its body: one thread, epoll, so little work
 * that whatever asks it is the limit. Requests of up to 16 kB; it trusts that they are well formed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "listening.h"

#define ROOM (16 << 10)
#define EVENTS 256

struct conn {
	int fd;
	size_t have;
	char bytes[ROOM + 1];
};

static int ep;

static void end(struct conn *c)
{
	close(c->fd);
	free(c);
}

/* The answer to the first request, if it is whole; how long the request was. */
static size_t answer(struct conn *c)
{
	static char out[ROOM + 256];
	char *body = memmem(c->bytes, c->have, "\r\n\r\n", 4), *length;
	size_t size = 0, head;

	if (!body) return 0;
	*body = 0;
	length = strcasestr(c->bytes, "\r\ncontent-length:");
	if (length) size = strtoul(length + 17, NULL, 10);
	*body = '\r';
	body += 4;
	if (size > ROOM || c->have - (body - c->bytes) < size) return 0;
	head = sprintf(out,
		       "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n"
		       "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n\r\n",
		       size);
	memcpy(out + head, body, size);
	if (send(c->fd, out, head + size, MSG_NOSIGNAL) != (ssize_t)(head + size)) return 0;
	return body - c->bytes + size;
}

static void on_readable(struct conn *c)
{
	ssize_t n = recv(c->fd, c->bytes + c->have, ROOM - c->have, 0);
	size_t taken;

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
	if (n <= 0) {
		end(c);
		return;
	}
	c->have += n;
	while (c->have > 0 && (taken = answer(c)) > 0) {
		memmove(c->bytes, c->bytes + taken, c->have - taken);
		c->have -= taken;
	}
}

int main(int argc, char **argv)
{
	static struct epoll_event events[EVENTS];
	int listener = listen_on(argc > 1 ? atoi(argv[1]) : 0, SOCK_NONBLOCK);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };

	ep = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);
	for (;;) {
		int n = epoll_wait(ep, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			if (c) {
				on_readable(c);
				continue;
			}
			int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

			if (fd < 0) continue;
			c = calloc(1, sizeof *c);
			if (!c) fail("calloc");
			c->fd = fd;
			ev.data.ptr = c;
			epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
		}
	}
}
