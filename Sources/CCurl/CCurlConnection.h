// Which connection a request goes out on, and whether what comes in on it can be its own answer. Private to CCurl.
#ifndef CROWBAR_CCURL_CONNECTION_H
#define CROWBAR_CCURL_CONNECTION_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// IPv4 and IPv6, which libcurl tries side by side.
enum { ccurl_families = 2, ccurl_ports = 1 << 16 };

struct ccurl_multi {
    CURLM *curl;
    /// The socket behind each local port, plus 1; 0: none. libcurl 7.88 names the socket of a request only after the
    /// request (CURLINFO_ACTIVESOCKET), and its local port before. An entry may be out of date, so it is verified.
    int sockets[ccurl_ports];
    /// The largest descriptor that a socket has had.
    int highest;
};

/// The connection of one request.
typedef struct {
    struct ccurl_multi *multi;
    CURL *easy;
    /// The last sockets that were opened for the request, one for each family; -1: none. They are libcurl's, and may be
    /// closed.
    int opened[ccurl_families];
    /// The socket that the request goes out on; -1: not known.
    int socket;
    /// Bytes of the request's body.
    curl_off_t body_size;
    /// An earlier request used the connection.
    bool is_reused;
    /// The request must have a new connection.
    bool is_fresh;
    /// The reused connection had input before the request was sent, or was closed, so nothing on it is an answer.
    bool is_unclean;
} ccurl_connection;

/// Prepares for a request that begins; `is_fresh`: on a new connection.
bool ccurl_connection_begin(ccurl_connection *connection, struct ccurl_multi *multi, CURL *easy, bool is_fresh);
/// The bytes of a remote address that libcurl gives as text, and whether it is one: 4 or 16, else 0 (also of a connection
/// that has ended already).
size_t ccurl_connection_address(const char *remote, uint8_t bytes[16]);
/// Opens a socket, as CURLOPT_OPENSOCKETFUNCTION does.
curl_socket_t ccurl_connection_open(ccurl_connection *connection, struct curl_sockaddr *address);
/// Whether the request may be sent, asked by CURLOPT_PREREQFUNCTION: on a new connection always, on a reused one only
/// while it is silent.
bool ccurl_connection_is_ready(ccurl_connection *connection, const char *remote, int remote_port, int local_port);
/// Whether the first bytes of an answer can answer the request: asked when they arrive.
bool ccurl_connection_owns_answer(ccurl_connection *connection);
/// Whether the request failed because its connection was one from before, so that a new one may serve.
bool ccurl_connection_was_stale(const ccurl_connection *connection, CURLcode code, bool has_answer);

#endif
