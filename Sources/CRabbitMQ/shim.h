#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>

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
