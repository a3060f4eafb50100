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
