/*
 * Control: a plain epoll echo server, one thread, level-triggered.
 *
 * One recv and one send per event through a single 64 kB buffer. A connection owns memory only
 * while the kernel has refused part of a send; until that rest is written it is not read again,
 * so a peer that does not read is bounded by one buffer plus the kernel's own.
 *
 * usage: epoll PORT            (0: any free port; prints "listening on PORT")
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>
#include "listening.h"

#define BUFFER 65536
#define EVENTS 1024

struct rest {
	size_t from, to;
	char bytes[];
};

static struct rest **rests; /* indexed by descriptor; NULL while nothing is pending */
static int max_fd, ep, listener;
static char buffer[BUFFER];

static void watch(int op, int fd, unsigned events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	if (epoll_ctl(ep, op, fd, &ev) < 0) fail("epoll_ctl");
}

static void drop(int fd)
{
	free(rests[fd]);
	rests[fd] = NULL;
	close(fd); /* also leaves the epoll set */
}

static void accept_all(void)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EINTR || errno == ECONNABORTED) continue;
			return;
		}
		if (fd >= max_fd) close(fd);
		else watch(EPOLL_CTL_ADD, fd, EPOLLIN);
	}
}

static void keep_rest(int fd, size_t from, size_t to)
{
	struct rest *rest = malloc(sizeof *rest + to - from);

	if (!rest) {
		drop(fd);
		return;
	}
	memcpy(rest->bytes, buffer + from, to - from);
	rest->from = 0;
	rest->to = to - from;
	rests[fd] = rest;
	watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
}

static void on_readable(int fd)
{
	ssize_t got = recv(fd, buffer, BUFFER, 0), put;

	if (got <= 0) {
		if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
		drop(fd); /* end of input: everything read has been sent by now */
		return;
	}
	put = send(fd, buffer, got, MSG_NOSIGNAL);
	if (put == got) return;
	if (put < 0 && errno != EAGAIN && errno != EINTR) drop(fd);
	else keep_rest(fd, put < 0 ? 0 : put, got);
}

static void on_writable(int fd)
{
	struct rest *rest = rests[fd];
	ssize_t put = send(fd, rest->bytes + rest->from, rest->to - rest->from, MSG_NOSIGNAL);

	if (put < 0) {
		if (errno != EAGAIN && errno != EINTR) drop(fd);
		return;
	}
	rest->from += put;
	if (rest->from < rest->to) return;
	free(rest);
	rests[fd] = NULL;
	watch(EPOLL_CTL_MOD, fd, EPOLLIN);
}

int main(int argc, char **argv)
{
	static struct epoll_event events[EVENTS];
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	max_fd = files.rlim_cur > 1 << 20 ? 1 << 20 : (int)files.rlim_cur;
	rests = calloc(max_fd, sizeof *rests);
	ep = epoll_create1(EPOLL_CLOEXEC);
	listener = listen_on(argc > 1 ? atoi(argv[1]) : 0, SOCK_NONBLOCK);
	watch(EPOLL_CTL_ADD, listener, EPOLLIN);
	for (;;) {
		int n = epoll_wait(ep, events, EVENTS, -1);

		if (n < 0 && errno != EINTR) fail("epoll_wait");
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd == listener) accept_all();
			else if (rests[fd]) on_writable(fd);
			else on_readable(fd);
		}
	}
}
