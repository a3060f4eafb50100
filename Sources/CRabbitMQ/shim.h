#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/time.h>

// Glibc's module for Swift leaves this header out; a sleeping connection thread is woken through an eventfd.
#include <sys/eventfd.h>

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>

// librabbitmq stands on OpenSSL, and leaves to its users what a certificate has to name, and why one was refused.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// Swift imports no variadic function, and both logins of librabbitmq are variadic. Only SASL PLAIN is offered:
// every RabbitMQ accepts it, and TLS protects it where the network is not trusted.
static inline amqp_rpc_reply_t millrace_login_plain(
    amqp_connection_state_t connection, const char *vhost, int channel_max, int frame_max, int heartbeat_seconds,
    const amqp_table_t *client_properties, const char *user, const char *password) {
    return amqp_login_with_properties(
        connection, vhost, channel_max, frame_max, heartbeat_seconds, client_properties,
        AMQP_SASL_METHOD_PLAIN, user, password);
}

// prctl is variadic. A thread with a name is a thread that `top -H` and a debugger can tell apart.
static inline void millrace_name_thread(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

// What is learned from OpenSSL while a connection is made. librabbitmq shows neither to its users.
typedef struct {
    int fault;     // Why a certificate was refused: the first X509_V_ERR_..., or X509_V_OK.
    SSL *session;  // Valid as long as the socket is open.
} millrace_handshake;

// Called by OpenSSL for each finding about a certificate. The places where a context keeps data of ours are macros,
// which Swift does not import.
static inline int millrace_note_finding(int is_good, X509_STORE_CTX *check) {
    SSL *ssl = (SSL *)X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx());
    millrace_handshake *handshake = (millrace_handshake *)SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (handshake == NULL) return is_good;
    handshake->session = ssl;
    if (!is_good && handshake->fault == X509_V_OK) handshake->fault = X509_STORE_CTX_get_error(check);
    return is_good;
}

// Has OpenSSL end the handshake when a certificate is refused, and say why. What is learned goes to `handshake`, which
// has to live until this is called again with NULL.
static inline void millrace_watch_handshake(amqp_socket_t *socket, millrace_handshake *handshake) {
    SSL_CTX *context = (SSL_CTX *)amqp_ssl_socket_get_context(socket);
    SSL_CTX_set_app_data(context, handshake);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, millrace_note_finding);
}

// A write takes what the socket has room for, and what is left may be offered again from another place in memory.
static inline void millrace_write_in_parts(SSL *session) {
    SSL_set_mode(session, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}
