/*
 * Control: a plain udp echo server, one thread, many datagrams in one system call.
 *
 * recvmmsg waits for one datagram and takes what else is there, at most BATCH; sendmmsg sends all
 * of them back. It keeps no state and refuses no client, so it does less than a server should that
 * others can reach.
 *
 * usage: udp PORT            (0: any free port; prints "listening on PORT")
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH 64
#define LONGEST 65536

static char bytes[BATCH][LONGEST];
static struct sockaddr_in names[BATCH];
static struct iovec pieces[BATCH];
static struct mmsghdr messages[BATCH];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int listen_on(int port)
{
	int room = 4 << 20, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t size = sizeof at;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0) fail("bind");
	getsockname(fd, (struct sockaddr *)&at, &size);
	printf("listening on %d\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	int fd = listen_on(argc > 1 ? atoi(argv[1]) : 0);

	for (int i = 0; i < BATCH; i++) {
		pieces[i].iov_base = bytes[i];
		messages[i].msg_hdr = (struct msghdr){
			.msg_name = &names[i], .msg_iov = &pieces[i], .msg_iovlen = 1
		};
	}
	for (;;) {
		int came, sent = 0;

		for (int i = 0; i < BATCH; i++) {
			pieces[i].iov_len = LONGEST;
			messages[i].msg_hdr.msg_namelen = sizeof names[i];
		}
		came = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
		if (came < 0 && errno != EINTR) fail("recvmmsg");
		for (int i = 0; i < came; i++) pieces[i].iov_len = messages[i].msg_len;
		while (sent < came) {
			int n = sendmmsg(fd, messages + sent, came - sent, 0);

			/* one that cannot be sent is lost */
			sent += n > 0 ? n : 1;
		}
	}
}
