/*
 * A load of TLS handshakes in a closed loop: one thread, OpenSSL over epoll.
 *
 * Each of CONNECTIONS clients repeats: connect, handshake, echo one byte, close_notify and FIN,
 * read to the end, close. The echo shows that the server has finished the handshake, too, and has
 * sent its tickets, so that none is unread at the end. With --resume each connection offers the
 * last ticket that its client was given, and one that the server does not resume counts as wrong.
 * Without it every session is new.
 *
 * Every server gets the same offer: TLS 1.3, X25519, AES-256-GCM. Its certificate is not judged,
 * but its signature is verified.
 *
 * Prints one line of JSON. With --pid the processor time of that process (the server) over the
 * measured interval is part of it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clocks.h"

#define EVENTS 256

struct client {
	int fd;
	enum { SHAKING, WAITING, ENDING } at;
	SSL *ssl;
	SSL_SESSION *session; /* the last that the server gave; it outlives the connection */
	int offers;           /* this connection offers one */
};

static struct sockaddr_in server = { .sin_family = AF_INET };
static int connections = 50, resume, pid, ep, measuring;
static uint64_t duration_ms = 2000, warmup_ms = 500, cycles, wrong;
static SSL_CTX *context;

static void give_up(const char *what)
{
	fprintf(stderr, "%s failed\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

/* OpenSSL calls this for each ticket. */
static int keep(SSL *ssl, SSL_SESSION *session)
{
	struct client *c = SSL_get_app_data(ssl);

	SSL_SESSION_free(c->session);
	c->session = session;
	return 1;
}

static void begin(struct client *c)
{
	int one = 1;
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) fail("socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(c->fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS)
		fail("connect");
	c->at = SHAKING;
	c->ssl = SSL_new(context);
	SSL_set_app_data(c->ssl, c);
	c->offers = resume && c->session;
	if (c->offers) {
		/* OpenSSL spoils what was used once, and some servers give no other ticket then */
		SSL_SESSION *copy = SSL_SESSION_dup(c->session);

		SSL_set_session(c->ssl, copy);
		SSL_SESSION_free(copy);
	}
	SSL_set_fd(c->ssl, c->fd);
	SSL_set_connect_state(c->ssl);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) < 0) fail("epoll_ctl");
}

/* Whether OpenSSL waits for the socket; if not, the connection has ended. All else is fatal. */
static int must_wait(struct client *c, int result, const char *what)
{
	switch (SSL_get_error(c->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: return 1;
	case SSL_ERROR_ZERO_RETURN: return 0;
	default: give_up(what);
	}
	return 0;
}

static void finish(struct client *c)
{
	if (measuring) {
		cycles++;
		if (SSL_session_reused(c->ssl) != resume) wrong++;
	}
	SSL_free(c->ssl);
	close(c->fd);
	begin(c);
}

static void on_event(struct client *c)
{
	char byte = 0;
	int result;

	if (c->at == SHAKING) {
		result = SSL_do_handshake(c->ssl);
		if (result != 1) {
			if (!must_wait(c, result, "the handshake")) give_up("the handshake");
			return;
		}
		if (SSL_write(c->ssl, "x", 1) != 1) give_up("writing");
		c->at = WAITING;
	}
	if (c->at == WAITING) {
		result = SSL_read(c->ssl, &byte, 1);
		if (result != 1) {
			if (!must_wait(c, result, "reading the echo")) give_up("reading the echo");
			return;
		}
		if (byte != 'x') wrong++;
		SSL_shutdown(c->ssl);
		shutdown(c->fd, SHUT_WR);
		c->at = ENDING;
	}
	result = SSL_read(c->ssl, &byte, 1);
	if (result > 0) wrong++; /* more than the echo */
	else if (must_wait(c, result, "reading to the end")) return;
	finish(c);
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

/* Until all have a ticket to offer: a server that starts may be slow. */
static void run_until_all_offer(struct client *clients)
{
	uint64_t patient_until = now_ns(CLOCK_MONOTONIC) + 20000000000;

	for (int i = 0; i < connections;) {
		if (clients[i].offers) i++;
		else if (now_ns(CLOCK_MONOTONIC) > patient_until) give_up("waiting for tickets");
		else run_until(now_ns(CLOCK_MONOTONIC) + 10000000);
	}
}

static void options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(name, "--resume")) {
			resume = 1;
			continue;
		}
		i++;
		if (!strcmp(name, "--port")) server.sin_port = htons(atoi(value));
		else if (!strcmp(name, "--connections")) connections = atoi(value);
		else if (!strcmp(name, "--duration-ms")) duration_ms = strtoull(value, NULL, 10);
		else if (!strcmp(name, "--warmup-ms")) warmup_ms = strtoull(value, NULL, 10);
		else if (!strcmp(name, "--pid")) pid = atoi(value);
		else exit((fprintf(stderr, "unknown option %s\n", name), 2));
	}
}

static void offer(void)
{
	context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
	if (SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384") != 1 ||
	    SSL_CTX_set1_groups_list(context, "X25519") != 1)
		give_up("preparing OpenSSL");
	SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
	/* some end without close_notify */
	SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (!resume) return;
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, keep);
}

int main(int argc, char **argv)
{
	struct client *clients;
	uint64_t start, took, cpu, sched = 0;

	signal(SIGPIPE, SIG_IGN);
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	options(argc, argv);
	offer();
	ep = epoll_create1(EPOLL_CLOEXEC);
	clients = calloc(connections, sizeof *clients);
	for (int i = 0; i < connections; i++) begin(&clients[i]);
	run_until(now_ns(CLOCK_MONOTONIC) + warmup_ms * 1000000);
	if (resume) run_until_all_offer(clients);
	if (pid) sched = scheduled_ns(pid);
	cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	start = now_ns(CLOCK_MONOTONIC);
	measuring = 1;
	run_until(start + duration_ms * 1000000);
	took = now_ns(CLOCK_MONOTONIC) - start;
	cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	if (pid) sched = scheduled_ns(pid) - sched;
	printf("{\"echoes\":%lu,\"cycles\":%lu,\"seconds\":%.6f,\"bytes\":%lu,\"wrong\":%lu,"
	       "\"load_cpu_s\":%.4f,\"server_sched_ns\":%lu}\n",
	       cycles, cycles, took / 1e9, cycles, wrong, cpu / 1e9, sched);
	return wrong ? 1 : 0;
}
