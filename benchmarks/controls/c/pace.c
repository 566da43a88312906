/*
 * An open loop that sleeps: one connection, a message of 64 bytes every 1 / RATE seconds, and one
 * thread in ppoll(2) until something comes or the next message is due. The response time counts
 * from the planned instant. Every byte is verified.
 *
 * pace PORT RATE WARMUP_MS DURATION_MS prints one line of JSON: the samples, sorted.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SIZE 64

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const char *name, double *us, long count)
{
	qsort(us, count, sizeof *us, by_size);
	printf("\"%s\":[", name);
	for (long i = 0; i < count; i++) printf(i ? ",%.1f" : "%.1f", us[i]);
	printf("]");
}

int main(int argc, char **argv)
{
	struct sockaddr_in server = { .sin_family = AF_INET };
	char message[SIZE], incoming[SIZE * 1024];
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (argc != 5) return 2;
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.sin_port = htons(atoi(argv[1]));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, (struct sockaddr *)&server, sizeof server) < 0) fail("connect");
	for (int i = 0; i < SIZE; i++) message[i] = (char)(i * 37 + 11);

	double gap = 1e9 / atof(argv[2]);
	int64_t start = now_ns() + 1000000, from = start + atoll(argv[3]) * 1000000;
	int64_t end = from + atoll(argv[4]) * 1000000;
	long planned = (long)((end - start) / gap), sent = 0, measured = 0;
	uint64_t got = 0;
	double *response = calloc(planned, sizeof *response), *late = calloc(planned, sizeof *late);

	if (!response || !late) fail("calloc");
	while (got < (uint64_t)planned * SIZE) {
		int64_t now = now_ns(), due = start + (int64_t)(sent * gap);

		if (sent < planned && now >= due) {
			/* A message goes out only when the one before it is back: depth 1. */
			if (got == (uint64_t)sent * SIZE) {
				if (due >= from) late[measured] = (now - due) / 1e3;
				if (send(fd, message, SIZE, MSG_NOSIGNAL) != SIZE) fail("send");
				sent++;
				continue;
			}
			due = now + 1000000000;
		} else if (sent == planned) due = now + 1000000000;

		struct pollfd wanted = { .fd = fd, .events = POLLIN };
		struct timespec left = { (due - now) / 1000000000, (due - now) % 1000000000 };

		if (ppoll(&wanted, 1, &left, NULL) < 0 && errno != EINTR) fail("ppoll");
		if (!(wanted.revents & (POLLIN | POLLHUP | POLLERR))) continue;
		ssize_t n = recv(fd, incoming, sizeof incoming, 0);

		if (n <= 0) fail("recv");
		for (ssize_t i = 0; i < n; i++)
			if (incoming[i] != message[(got + i) % SIZE]) exit((fprintf(stderr, "wrong\n"), 1));
		got += n;
		if (got % SIZE) continue;
		int64_t plan = start + (int64_t)((got / SIZE - 1) * gap);

		if (plan >= from) response[measured++] = (now_ns() - plan) / 1e3;
	}
	printf("{");
	print("responseUs", response, measured);
	printf(",");
	print("latenessUs", late, measured);
	printf("}\n");
	return 0;
}
