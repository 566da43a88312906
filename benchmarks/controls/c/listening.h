/* What the controls in C have in common: a socket that listens, and how that is told. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* On the loopback; with SOCK_NONBLOCK in flags it does not wait for clients. 0: any free port. */
static int listen_on(int port, int flags)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t size = sizeof at;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	/* accepted sockets inherit this, which saves a call for each */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0) fail("bind");
	if (listen(fd, 4096) < 0) fail("listen");
	getsockname(fd, (struct sockaddr *)&at, &size);
	printf("listening on %d\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}
