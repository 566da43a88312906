/*
 * Control: TLS with OpenSSL over epoll, one thread, level-triggered.
 *
 * Each event is one SSL_read into a 64 kB buffer (and more only while OpenSSL has bytes already,
 * since it reads ahead: one recv for as many records as came), and one SSL_write of what was read.
 * A connection owns memory only while a write would have blocked; until then it is not read again.
 *
 * usage: tls CERT.pem KEY.pem PORT     (0: any free port; prints "listening on PORT")
 */
#define _GNU_SOURCE
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>
#include "listening.h"

#define BUFFER 65536
#define EVENTS 1024

struct conn {
	SSL *ssl;
	int fd;
	size_t from, to; /* of the rest; none if they are equal */
	char *rest;
};

static int ep, listener;
static SSL_CTX *context;
static char buffer[BUFFER];

static void watch(int op, struct conn *conn, unsigned events)
{
	struct epoll_event ev = { .events = events, .data.ptr = conn };

	if (epoll_ctl(ep, op, conn ? conn->fd : listener, &ev) < 0) fail("epoll_ctl");
}

static void drop(struct conn *conn)
{
	SSL_free(conn->ssl);
	close(conn->fd);
	free(conn->rest);
	free(conn);
}

static void accept_all(void)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct conn *conn;

		if (fd < 0) {
			if (errno == EINTR || errno == ECONNABORTED) continue;
			return;
		}
		conn = calloc(1, sizeof *conn);
		conn->fd = fd;
		conn->ssl = SSL_new(context);
		SSL_set_fd(conn->ssl, fd);
		SSL_set_accept_state(conn->ssl);
		watch(EPOLL_CTL_ADD, conn, EPOLLIN);
	}
}

/* whether it is there still, and may be read on */
static int write_rest(struct conn *conn, const char *bytes, size_t size)
{
	int put = SSL_write(conn->ssl, bytes, size);
	int why = put > 0 ? SSL_ERROR_NONE : SSL_get_error(conn->ssl, put);

	if (why != SSL_ERROR_NONE && why != SSL_ERROR_WANT_WRITE) {
		ERR_clear_error();
		drop(conn);
		return 0;
	}
	if (put < 0) put = 0;
	if ((size_t)put == size) return 1;
	if (!conn->rest) {
		conn->rest = malloc(size - put);
		memcpy(conn->rest, bytes + put, size - put);
		conn->from = 0;
		conn->to = size - put;
		watch(EPOLL_CTL_MOD, conn, EPOLLOUT);
	} else conn->from += put;
	return 0;
}

static void on_readable(struct conn *conn)
{
	do {
		int got = SSL_read(conn->ssl, buffer, BUFFER);

		if (got <= 0) {
			int why = SSL_get_error(conn->ssl, got);

			if (why == SSL_ERROR_WANT_READ) return;
			if (why == SSL_ERROR_ZERO_RETURN) SSL_shutdown(conn->ssl);
			ERR_clear_error();
			drop(conn);
			return;
		}
		if (!write_rest(conn, buffer, got)) return;
	} while (SSL_has_pending(conn->ssl));
}

static void on_writable(struct conn *conn)
{
	if (!write_rest(conn, conn->rest + conn->from, conn->to - conn->from)) return;
	free(conn->rest);
	conn->rest = NULL;
	watch(EPOLL_CTL_MOD, conn, EPOLLIN);
	on_readable(conn);
}

int main(int argc, char **argv)
{
	static struct epoll_event events[EVENTS];
	struct rlimit files;

	if (argc < 4) return 2;
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	context = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_read_ahead(context, 1);
	/* sessions are resumed by tickets, which need no memory here */
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (SSL_CTX_use_certificate_chain_file(context, argv[1]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, argv[2], SSL_FILETYPE_PEM) != 1) {
		ERR_print_errors_fp(stderr);
		return 1;
	}
	ep = epoll_create1(EPOLL_CLOEXEC);
	listener = listen_on(atoi(argv[3]), SOCK_NONBLOCK);
	watch(EPOLL_CTL_ADD, NULL, EPOLLIN);
	for (;;) {
		int n = epoll_wait(ep, events, EVENTS, -1);

		if (n < 0 && errno != EINTR) fail("epoll_wait");
		for (int i = 0; i < n; i++) {
			struct conn *conn = events[i].data.ptr;

			if (!conn) accept_all();
			else if (conn->rest) on_writable(conn);
			else on_readable(conn);
		}
	}
}
