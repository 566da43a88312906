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
#include <unistd.h>
#include "listening.h"

#define BUFFER 65536

static char buffer[BUFFER];

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
	int listener = listen_on(argc > 1 ? atoi(argv[1]) : 0, 0);

	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0) continue;
		serve(fd);
		close(fd);
	}
}
