/*
 * Control: one client at a time, recv and send in a loop that never sleeps.
 *
 * The least that a server can add to a round trip: no readiness to be asked for, nothing to wake up
 * from. What is left of the round trip is the kernel's TCP, and the client's own waking up.
 *
 * usage: spin PORT             (0: any free port; prints "listening on PORT")
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER 65536

static char buffer[BUFFER];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int listen_on(int port)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t size = sizeof at;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0) fail("bind");
	if (listen(fd, 4096) < 0) fail("listen");
	getsockname(fd, (struct sockaddr *)&at, &size);
	printf("listening on %d\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

static void serve(int fd)
{
	for (;;) {
		ssize_t got = recv(fd, buffer, BUFFER, MSG_DONTWAIT);

		if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
		/* send may wait: there is no other client to serve meanwhile */
		if (got <= 0 || send(fd, buffer, got, MSG_NOSIGNAL) != got) return;
	}
}

int main(int argc, char **argv)
{
	int listener = listen_on(argc > 1 ? atoi(argv[1]) : 0);

	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0) continue;
		serve(fd);
		close(fd);
	}
}
