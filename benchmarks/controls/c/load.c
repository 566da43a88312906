/*
 * A closed-loop load generator for echo servers: one thread, epoll, every byte verified.
 *
 * Each connection keeps DEPTH messages of SIZE bytes in flight and sends a new one for each that
 * has come back whole, all that are due in one send. The stream of a connection is a slice of a
 * random table of prime length that starts at a place of its own, so that a byte lost, repeated,
 * swapped or sent to another connection is seen. --churn instead counts cycles of connect, echo
 * one message, shut down, read to the end, close.
 *
 * Prints one line of JSON. With --pid the processor time of that process (the server) over the
 * measured interval is part of it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clocks.h"

#define CHUNK (256 << 10) /* the most that one send or recv moves */
#define EVENTS 1024
#define SUB_BITS 5 /* histogram: 32 buckets for each power of two, about 3 % wide */

struct conn {
	int fd;
	uint64_t sent, due, got; /* bytes of the stream: sent, may be sent, came back */
	size_t start;            /* where in the table the stream begins */
	int ending;              /* churn: this side has shut down */
	uint64_t *stamps;        /* when each message in flight was sent, a ring of depth */
};

static struct sockaddr_in server = { .sin_family = AF_INET };
static int connections = 50, depth = 1, churn, pid;
static uint64_t size = 64, duration_ms = 2000, warmup_ms = 500;
static struct conn *conns;
static int ep;
static char *table, incoming[CHUNK];
static size_t table_size;
static int measuring;
static uint64_t echoes, bytes, wrong, cycles, histogram[64 << SUB_BITS], fastest = UINT64_MAX;

static void make_table(void)
{
	uint64_t x = 0x9e3779b97f4a7c15;

	/* primes, so that losing a round number of bytes never leaves the stream in step */
	table_size = size * depth <= 4096 ? 65521 : 1048573;
	table = malloc(table_size + CHUNK); /* the start again at the end: any chunk is contiguous */
	for (size_t i = 0; i < table_size; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		table[i] = (char)(x >> 24);
	}
	for (size_t i = 0; i < CHUNK; i++) table[table_size + i] = table[i % table_size];
}

static const char *expected(const struct conn *c, uint64_t at)
{
	return table + (c->start + at) % table_size;
}

static void record(uint64_t ns)
{
	unsigned shift = ns >> SUB_BITS ? 63 - __builtin_clzll(ns) - SUB_BITS : 0;

	if (ns < fastest) fastest = ns;
	histogram[((uint64_t)shift << SUB_BITS) + (ns >> shift)]++;
}

static double percentile_us(double part)
{
	uint64_t total = 0, seen = 0;

	for (size_t i = 0; i < 64 << SUB_BITS; i++) total += histogram[i];
	for (size_t i = 0; i < 64 << SUB_BITS; i++) {
		unsigned shift = i >> SUB_BITS ? (i >> SUB_BITS) - 1 : 0;

		seen += histogram[i];
		if (total && seen >= part * total)
			return (i - ((size_t)shift << SUB_BITS) + 0.5) * (1ull << shift) / 1e3;
	}
	return 0;
}

static void push(struct conn *c)
{
	while (c->sent < c->due) {
		uint64_t left = c->due - c->sent, now = now_ns(CLOCK_MONOTONIC);
		ssize_t n = send(c->fd, expected(c, c->sent), left < CHUNK ? left : CHUNK, MSG_NOSIGNAL);

		if (n < 0) {
			if (errno == EAGAIN) return;
			fail("send");
		}
		/* a message counts as sent when its first byte is */
		for (uint64_t m = (c->sent + size - 1) / size; m * size < c->sent + n; m++)
			c->stamps[m % depth] = now;
		c->sent += n;
	}
}

static void open_conn(struct conn *c)
{
	static uint64_t opened;
	int one = 1;
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	c->sent = c->got = c->ending = 0;
	c->due = size * depth;
	c->start = opened++ * 7919 % table_size;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(c->fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS)
		fail("connect");
	if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) < 0) fail("epoll_ctl");
}

static void take(struct conn *c, const char *data, size_t n)
{
	uint64_t before = c->got / size, now;

	if (memcmp(data, expected(c, c->got), n) != 0) wrong++;
	c->got += n;
	if (c->got > c->sent) wrong++;
	if (measuring) bytes += n;
	if (c->got / size == before) return;
	now = now_ns(CLOCK_MONOTONIC);
	for (uint64_t m = before; m < c->got / size; m++) {
		if (measuring) {
			echoes++;
			record(now - c->stamps[m % depth]);
		}
		if (!churn) c->due += size;
	}
}

static void finish_cycle(struct conn *c)
{
	if (!c->ending || c->got != c->due) wrong++; /* the server ended the connection first */
	if (measuring) cycles++;
	close(c->fd);
	if (!churn) exit((fprintf(stderr, "the server closed a connection\n"), 1));
	open_conn(c);
}

static void on_event(struct conn *c)
{
	int due_more = 0;

	for (;;) {
		ssize_t n = recv(c->fd, incoming, CHUNK, 0);

		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) break;
		if (n < 0) fail("recv");
		if (n == 0) {
			finish_cycle(c);
			return;
		}
		take(c, incoming, n);
		due_more = 1;
		if (n < CHUNK) break; /* drained: whatever comes next is a new edge */
	}
	if (c->sent < c->due) push(c);
	else if (churn && due_more && c->got == c->due && !c->ending) {
		c->ending = 1;
		shutdown(c->fd, SHUT_WR);
	}
}

static void run_until(uint64_t end)
{
	static struct epoll_event events[EVENTS];

	while (now_ns(CLOCK_MONOTONIC) < end) {
		int n = epoll_wait(ep, events, EVENTS, 20);

		if (n < 0 && errno != EINTR) fail("epoll_wait");
		for (int i = 0; i < n; i++) on_event(events[i].data.ptr);
	}
}

static void options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(name, "--churn")) {
			churn = 1;
			continue;
		}
		i++;
		if (!strcmp(name, "--host")) inet_pton(AF_INET, value, &server.sin_addr);
		else if (!strcmp(name, "--port")) server.sin_port = htons(atoi(value));
		else if (!strcmp(name, "--connections")) connections = atoi(value);
		else if (!strcmp(name, "--size")) size = strtoull(value, NULL, 10);
		else if (!strcmp(name, "--depth")) depth = atoi(value);
		else if (!strcmp(name, "--duration-ms")) duration_ms = strtoull(value, NULL, 10);
		else if (!strcmp(name, "--warmup-ms")) warmup_ms = strtoull(value, NULL, 10);
		else if (!strcmp(name, "--pid")) pid = atoi(value);
		else exit((fprintf(stderr, "unknown option %s\n", name), 2));
	}
	if (churn) depth = 1;
}

int main(int argc, char **argv)
{
	struct rlimit files;
	clockid_t server_clock = 0;
	uint64_t begin, took, cpu, sched = 0, clocked = 0;

	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	options(argc, argv);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	make_table();
	ep = epoll_create1(EPOLL_CLOEXEC);
	conns = calloc(connections, sizeof *conns);
	for (int i = 0; i < connections; i++) {
		conns[i].stamps = calloc(depth, sizeof(uint64_t));
		open_conn(&conns[i]);
	}
	if (pid && clock_getcpuclockid(pid, &server_clock)) fail("pid");
	run_until(now_ns(CLOCK_MONOTONIC) + warmup_ms * 1000000);
	if (pid) sched = scheduled_ns(pid), clocked = now_ns(server_clock);
	cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	begin = now_ns(CLOCK_MONOTONIC);
	measuring = 1;
	run_until(begin + duration_ms * 1000000);
	took = now_ns(CLOCK_MONOTONIC) - begin;
	cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	if (pid) sched = scheduled_ns(pid) - sched, clocked = now_ns(server_clock) - clocked;
	printf("{\"echoes\":%lu,\"cycles\":%lu,\"seconds\":%.6f,\"bytes\":%lu,\"wrong\":%lu,"
	       "\"p50_us\":%.2f,\"p99_us\":%.2f,\"min_us\":%.2f,\"load_cpu_s\":%.4f,"
	       "\"server_sched_ns\":%lu,\"server_clock_ns\":%lu}\n",
	       echoes, cycles, took / 1e9, bytes, wrong, percentile_us(0.5), percentile_us(0.99),
	       echoes ? fastest / 1e3 : 0, cpu / 1e9, sched, clocked);
	return wrong ? 1 : 0;
}
