#define _GNU_SOURCE
#include "CCurlConnection.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

bool ccurl_connection_begin(ccurl_connection *connection, struct ccurl_multi *multi, CURL *easy, bool is_fresh) {
    connection->multi = multi;
    connection->easy = easy;
    for (size_t i = 0; i < ccurl_families; i++) connection->opened[i] = -1;
    connection->socket = -1;
    connection->is_reused = connection->is_unclean = false;
    connection->is_fresh = is_fresh;
    return curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, is_fresh ? 1L : 0L) == CURLE_OK;
}

size_t ccurl_connection_address(const char *remote, uint8_t bytes[16]) {
    char text[INET6_ADDRSTRLEN + 1];
    size_t length = strcspn(remote, "%");
    if (length >= sizeof text) return 0;
    memcpy(text, remote, length);
    text[length] = 0;
    if (inet_pton(AF_INET, text, bytes) == 1) return 4;
    return inet_pton(AF_INET6, text, bytes) == 1 ? 16 : 0;
}

curl_socket_t ccurl_connection_open(ccurl_connection *connection, struct curl_sockaddr *address) {
    int made = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    connection->opened[address->family == AF_INET ? 0 : 1] = made;
    if (made > connection->multi->highest) connection->multi->highest = made;
    return made;
}

static int port_of(const struct sockaddr_storage *address) {
    if (address->ss_family == AF_INET) return ntohs(((const struct sockaddr_in *)address)->sin_port);
    if (address->ss_family == AF_INET6) return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    return -1;
}

/// Whether a descriptor is a socket with these two ends.
static bool is_between(int descriptor, const char *remote, int remote_port, int local_port) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (descriptor < 0 || getsockname(descriptor, (struct sockaddr *)&address, &size) != 0) return false;
    if (port_of(&address) != local_port) return false;
    size = sizeof address;
    if (getpeername(descriptor, (struct sockaddr *)&address, &size) != 0) return false;
    if (port_of(&address) != remote_port) return false;
    char text[INET6_ADDRSTRLEN];
    const void *bytes = address.ss_family == AF_INET ? (const void *)&((struct sockaddr_in *)&address)->sin_addr
                                                     : (const void *)&((struct sockaddr_in6 *)&address)->sin6_addr;
    if (!inet_ntop(address.ss_family, bytes, text, sizeof text)) return false;
    size_t length = strcspn(remote, "%");
    return strlen(text) == length && memcmp(text, remote, length) == 0;
}

/// Whether there is nothing to read on a connection, not even its end.
static bool is_silent(const ccurl_connection *connection) {
    struct pollfd state = {.fd = connection->socket, .events = POLLIN | POLLPRI | POLLRDHUP};
    if (poll(&state, 1, 0) != 0) return false;
    // What TLS has read and decrypted is no longer in the socket.
    struct curl_tlssessioninfo *tls = NULL;
    curl_easy_getinfo(connection->easy, CURLINFO_TLS_SSL_PTR, &tls);
    return !tls || tls->backend != CURLSSLBACKEND_OPENSSL || !tls->internals || !SSL_has_pending(tls->internals);
}

bool ccurl_connection_is_ready(ccurl_connection *connection, const char *remote, int remote_port, int local_port) {
    long made = 0;
    curl_easy_getinfo(connection->easy, CURLINFO_NUM_CONNECTS, &made);
    connection->is_reused = made == 0;
    bool is_port = local_port > 0 && local_port < ccurl_ports;
    if (!connection->is_reused) {
        for (size_t i = 0; i < ccurl_families; i++) {
            int opened = connection->opened[i];
            if (is_between(opened, remote, remote_port, local_port)) connection->socket = opened;
        }
        if (is_port) connection->multi->sockets[local_port] = connection->socket + 1;
        return true;
    }
    int known = is_port ? connection->multi->sockets[local_port] - 1 : -1;
    // Connections to different receivers can share a local port. The table has the newest of them.
    bool is_known = is_between(known, remote, remote_port, local_port);
    for (int other = 0; is_port && !is_known && other <= connection->multi->highest; other++) {
        is_known = is_between(other, remote, remote_port, local_port);
        if (is_known) known = other;
    }
    if (is_known) connection->socket = known;
    // Of a socket that is not known nothing is known: a new connection is certain.
    connection->is_unclean = connection->socket < 0 || !is_silent(connection);
    return !connection->is_unclean;
}

// A receiver cannot answer a request that it does not have. Its answer to a whole request acknowledges the request's
// last byte, as it is sent later and by the same side. So while bytes of the request are unsent or not acknowledged,
// what comes in belongs to an earlier request. (Or it is the answer of a receiver that refuses without reading on: on a
// new connection that is believed.)
bool ccurl_connection_owns_answer(ccurl_connection *connection) {
    if (!connection->is_reused) return true;
    curl_off_t sent = 0;
    int queued = 0;
    curl_easy_getinfo(connection->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    if (ioctl(connection->socket, SIOCOUTQ, &queued) != 0) queued = 0;
    if (sent >= connection->body_size && queued == 0) return true;
    connection->is_unclean = true;
    return false;
}

bool ccurl_connection_was_stale(const ccurl_connection *connection, CURLcode code, bool has_answer) {
    if (connection->is_unclean) return true;
    // Also bytes that are no HTTP: a line break behind the answer before, say.
    bool is_broken = code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING
        || code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY;
    long made = 0;
    curl_easy_getinfo(connection->easy, CURLINFO_NUM_CONNECTS, &made);
    return is_broken && made == 0 && !has_answer && !connection->is_fresh;
}
