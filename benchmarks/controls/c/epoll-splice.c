/*
 * Control: an epoll echo server that moves the bytes with splice, socket -> pipe -> socket.
 *
 * One thread, level-triggered, one pipe of 1 MiB for each connection. The bytes never enter this
 * process. While the pipe holds bytes the socket would not take, the connection waits for room
 * to write and is not read.
 *
 * usage: epoll-splice PORT     (0: any free port; prints "listening on PORT")
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>
#include "listening.h"

#define PIPE_SIZE (1 << 20)
#define EVENTS 1024
#define HOW (SPLICE_F_MOVE | SPLICE_F_NONBLOCK)

struct conn {
	int out, in;  /* the pipe: bytes are read from out, written to in */
	size_t held;  /* bytes in the pipe */
};

static struct conn *conns; /* indexed by descriptor */
static int max_fd, ep, listener;

static void watch(int op, int fd, unsigned events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	if (epoll_ctl(ep, op, fd, &ev) < 0) fail("epoll_ctl");
}

static void drop(int fd)
{
	close(conns[fd].out);
	close(conns[fd].in);
	close(fd);
}

static void accept_all(void)
{
	for (;;) {
		int ends[2], fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EINTR || errno == ECONNABORTED) continue;
			return;
		}
		if (fd >= max_fd || pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0) {
			close(fd);
			continue;
		}
		fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE); /* a smaller pipe works as well */
		conns[fd] = (struct conn){ .out = ends[0], .in = ends[1] };
		watch(EPOLL_CTL_ADD, fd, EPOLLIN);
	}
}

/* Moves what the pipe holds; true when it is empty, false when the connection must wait or died. */
static int drain(int fd)
{
	struct conn *c = &conns[fd];

	while (c->held > 0) {
		ssize_t put = splice(c->out, NULL, fd, NULL, c->held, HOW);

		if (put > 0) {
			c->held -= put;
		} else {
			if (put < 0 && errno == EINTR) continue;
			if (put == 0 || errno != EAGAIN) {
				drop(fd);
				return 0;
			}
			return 0;
		}
	}
	return 1;
}

static void on_readable(int fd)
{
	struct conn *c = &conns[fd];
	ssize_t got = splice(fd, NULL, c->in, NULL, PIPE_SIZE, HOW);

	if (got <= 0) {
		if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
		drop(fd);
		return;
	}
	c->held = got;
	if (!drain(fd) && c->held > 0) {
		struct epoll_event ev = { .events = EPOLLOUT, .data.fd = fd };

		epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev); /* fails harmlessly if it was dropped */
	}
}

static void on_writable(int fd)
{
	if (drain(fd)) watch(EPOLL_CTL_MOD, fd, EPOLLIN);
}

int main(int argc, char **argv)
{
	static struct epoll_event events[EVENTS];
	struct rlimit files;

	signal(SIGPIPE, SIG_IGN); /* splice has no MSG_NOSIGNAL */
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	max_fd = files.rlim_cur > 1 << 20 ? 1 << 20 : (int)files.rlim_cur;
	conns = calloc(max_fd, sizeof *conns);
	ep = epoll_create1(EPOLL_CLOEXEC);
	listener = listen_on(argc > 1 ? atoi(argv[1]) : 0, SOCK_NONBLOCK);
	watch(EPOLL_CTL_ADD, listener, EPOLLIN);
	for (;;) {
		int n = epoll_wait(ep, events, EVENTS, -1);

		if (n < 0 && errno != EINTR) fail("epoll_wait");
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd == listener) accept_all();
			else if (conns[fd].held > 0) on_writable(fd);
			else on_readable(fd);
		}
	}
}
