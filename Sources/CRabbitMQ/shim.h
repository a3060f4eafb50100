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

// Called by OpenSSL for each finding about a certificate. The places where a context keeps data of ours are macros,
// which Swift does not import.
static inline int millrace_note_fault(int is_good, X509_STORE_CTX *check) {
    if (is_good) return is_good;
    SSL *ssl = (SSL *)X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx());
    int *fault = (int *)SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (fault != NULL && *fault == X509_V_OK) *fault = X509_STORE_CTX_get_error(check);
    return is_good;
}

// Has OpenSSL end the handshake when a certificate is refused, and say why: the first X509_V_ERR_... goes to `fault`,
// which has to live until this is called again with NULL.
static inline void millrace_note_faults_at(amqp_socket_t *socket, int *fault) {
    SSL_CTX *context = (SSL_CTX *)amqp_ssl_socket_get_context(socket);
    SSL_CTX_set_app_data(context, fault);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, millrace_note_fault);
}
