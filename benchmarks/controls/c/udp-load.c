/*
 * A closed-loop load generator for udp echo servers: one thread, epoll, every byte verified.
 *
 * Each socket keeps DEPTH datagrams of SIZE bytes in flight. A datagram begins with its place among
 * them and its number, and goes on with a slice of a random table that starts at a place of its
 * own. One that is not back after LOST_NS is lost, and its place is given to the next; one that
 * comes after that is not counted. With --segment what is due on a socket is sent as one
 * (UDP_SEGMENT), and may come back as one (UDP_GRO); without it by sendmmsg.
 *
 * Prints one line of JSON. With --pid the processor time of that process (the server) over the
 * measured interval is part of it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clocks.h"

#define DEPTH_MAX 256
#define TOGETHER 64 /* the most that are sent as one */
#define LONGEST 65536
#define EVENTS 1024
#define LOST_NS 1000000000ull
#define TABLE 1048573 /* a prime */

struct head {
	uint32_t place, number;
};

struct peer {
	int fd;
	uint32_t start, next;
	uint32_t number[DEPTH_MAX]; /* of the datagram in flight at each place */
	uint64_t stamp[DEPTH_MAX];  /* when it was sent; 0: it is due */
};

static struct sockaddr_in server = { .sin_family = AF_INET };
static int connections = 50, depth = 1, segment, pid;
static size_t size = 64;
static uint64_t duration_ms = 2000, warmup_ms = 500;
static struct peer *peers;
static int ep, measuring;
static char table[TABLE + LONGEST], outgoing[DEPTH_MAX][LONGEST], incoming[DEPTH_MAX][LONGEST];
static struct iovec out_pieces[DEPTH_MAX], in_pieces[DEPTH_MAX];
static struct mmsghdr out[DEPTH_MAX], in[DEPTH_MAX];
static union {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
} controls[DEPTH_MAX], out_control;
static uint64_t echoes, bytes, wrong, lost, late, times[1 << 22], timed;

static void make_table(void)
{
	uint64_t x = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < TABLE; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		table[i] = (char)(x >> 24);
	}
	memcpy(table + TABLE, table, LONGEST);
}

static const char *expected(const struct peer *p, uint32_t number)
{
	return table + (p->start + (uint64_t)number * 7919) % TABLE;
}

static void open_peer(struct peer *p)
{
	static uint32_t opened;
	int room = 4 << 20, one = 1;
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = p };

	p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	p->start = opened++ * 104729 % TABLE;
	setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	if (segment && setsockopt(p->fd, SOL_UDP, UDP_GRO, &one, sizeof one) < 0) fail("UDP_GRO");
	if (connect(p->fd, (struct sockaddr *)&server, sizeof server) < 0) fail("connect");
	if (epoll_ctl(ep, EPOLL_CTL_ADD, p->fd, &ev) < 0) fail("epoll_ctl");
}

static void send_together(struct peer *p, int count)
{
	struct msghdr message = { .msg_iov = out_pieces, .msg_control = &out_control };
	int most = 65507 / (int)size < TOGETHER ? 65507 / (int)size : TOGETHER;

	out_control.align = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(2), .cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT
	};
	*(uint16_t *)CMSG_DATA(&out_control.align) = size;
	message.msg_controllen = CMSG_SPACE(2);
	for (int sent = 0; sent < count; sent += message.msg_iovlen) {
		message.msg_iov = out_pieces + sent;
		message.msg_iovlen = count - sent < most ? count - sent : most;
		/* what finds no room is lost */
		if (sendmsg(p->fd, &message, 0) < 0 && errno != EAGAIN) fail("sendmsg");
	}
}

/* Sends what is due. */
static void push(struct peer *p)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	int count = 0;

	for (int i = 0; i < depth; i++) {
		struct head head = { i, p->next };

		if (p->stamp[i]) continue;
		p->stamp[i] = now;
		p->number[i] = p->next++;
		memcpy(outgoing[count], &head, sizeof head);
		memcpy(outgoing[count] + sizeof head, expected(p, head.number), size - sizeof head);
		count++;
	}
	if (count == 0) return;
	if (segment && count > 1) send_together(p, count);
	else if (sendmmsg(p->fd, out, count, 0) < 0 && errno != EAGAIN) fail("sendmmsg");
}

static void take(struct peer *p, const char *data, size_t n, uint64_t now)
{
	struct head head;

	if (n != size) {
		wrong++;
		return;
	}
	memcpy(&head, data, sizeof head);
	if (head.place >= (uint32_t)depth || head.number >= p->next ||
	    memcmp(data + sizeof head, expected(p, head.number), size - sizeof head) != 0) {
		wrong++;
		return;
	}
	if (p->number[head.place] != head.number || !p->stamp[head.place]) {
		late++;
		return;
	}
	if (measuring) {
		echoes++;
		bytes += n;
		if (timed < sizeof times / sizeof *times) times[timed++] = now - p->stamp[head.place];
	}
	p->stamp[head.place] = 0;
}

static void on_event(struct peer *p)
{
	int came;

	do {
		uint64_t now;

		for (int i = 0; i < DEPTH_MAX; i++)
			in[i].msg_hdr.msg_controllen = segment ? sizeof controls[i] : 0;
		came = recvmmsg(p->fd, in, DEPTH_MAX, 0, NULL);
		if (came < 0) {
			if (errno == EAGAIN) break;
			fail("recvmmsg");
		}
		now = now_ns(CLOCK_MONOTONIC);
		for (int i = 0; i < came; i++) {
			size_t whole = in[i].msg_len, each = whole;
			struct cmsghdr *c = CMSG_FIRSTHDR(&in[i].msg_hdr);

			if (segment && c && c->cmsg_type == UDP_GRO) each = *(int *)CMSG_DATA(c);
			for (size_t at = 0; at < whole; at += each)
				take(p, incoming[i] + at, whole - at < each ? whole - at : each, now);
		}
	} while (came == DEPTH_MAX);
	push(p);
}

static void look_for_lost(uint64_t now)
{
	for (int c = 0; c < connections; c++) {
		int any = 0;

		for (int i = 0; i < depth; i++) {
			if (!peers[c].stamp[i] || now - peers[c].stamp[i] < LOST_NS) continue;
			peers[c].stamp[i] = 0;
			lost++;
			any = 1;
		}
		if (any) push(&peers[c]);
	}
}

static void run_until(uint64_t end)
{
	static struct epoll_event events[EVENTS];
	static uint64_t looked;
	uint64_t now;

	while ((now = now_ns(CLOCK_MONOTONIC)) < end) {
		int n = epoll_wait(ep, events, EVENTS, 20);

		if (n < 0 && errno != EINTR) fail("epoll_wait");
		for (int i = 0; i < n; i++) on_event(events[i].data.ptr);
		if (now - looked < LOST_NS / 10) continue;
		looked = now;
		look_for_lost(now_ns(CLOCK_MONOTONIC));
	}
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(name, "--segment")) {
			segment = 1;
			continue;
		}
		i++;
		if (!strcmp(name, "--port")) server.sin_port = htons(atoi(value));
		else if (!strcmp(name, "--connections")) connections = atoi(value);
		else if (!strcmp(name, "--size")) size = strtoull(value, NULL, 10);
		else if (!strcmp(name, "--depth")) depth = atoi(value);
		else if (!strcmp(name, "--duration-ms")) duration_ms = strtoull(value, NULL, 10);
		else if (!strcmp(name, "--warmup-ms")) warmup_ms = strtoull(value, NULL, 10);
		else if (!strcmp(name, "--pid")) pid = atoi(value);
		else exit((fprintf(stderr, "unknown option %s\n", name), 2));
	}
	if (depth > DEPTH_MAX || size < sizeof(struct head) || size > 65507)
		exit((fprintf(stderr, "--depth is at most 256, --size from 8 to 65507\n"), 2));
}

int main(int argc, char **argv)
{
	struct rlimit files;
	uint64_t begin, took, cpu, sched = 0;

	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	options(argc, argv);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	make_table();
	for (int i = 0; i < DEPTH_MAX; i++) {
		out_pieces[i] = (struct iovec){ outgoing[i], size };
		in_pieces[i] = (struct iovec){ incoming[i], LONGEST };
		out[i].msg_hdr = (struct msghdr){ .msg_iov = &out_pieces[i], .msg_iovlen = 1 };
		in[i].msg_hdr = (struct msghdr){ .msg_iov = &in_pieces[i], .msg_iovlen = 1,
			                         .msg_control = &controls[i] };
	}
	ep = epoll_create1(EPOLL_CLOEXEC);
	peers = calloc(connections, sizeof *peers);
	for (int i = 0; i < connections; i++) open_peer(&peers[i]);
	for (int i = 0; i < connections; i++) push(&peers[i]);
	run_until(now_ns(CLOCK_MONOTONIC) + warmup_ms * 1000000);
	if (pid) sched = scheduled_ns(pid);
	cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	begin = now_ns(CLOCK_MONOTONIC);
	measuring = 1;
	lost = 0;
	run_until(begin + duration_ms * 1000000);
	took = now_ns(CLOCK_MONOTONIC) - begin;
	cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	if (pid) sched = scheduled_ns(pid) - sched;
	qsort(times, timed, sizeof *times, by_size);
	printf("{\"echoes\":%lu,\"cycles\":0,\"seconds\":%.6f,\"bytes\":%lu,\"wrong\":%lu,"
	       "\"lost\":%lu,\"late\":%lu,\"p50_us\":%.2f,\"p99_us\":%.2f,\"load_cpu_s\":%.4f,"
	       "\"server_sched_ns\":%lu}\n",
	       echoes, took / 1e9, bytes, wrong, lost, late, timed ? times[timed / 2] / 1e3 : 0,
	       timed ? times[timed / 100 * 99] / 1e3 : 0, cpu / 1e9, sched);
	return wrong ? 1 : 0;
}
