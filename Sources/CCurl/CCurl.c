#define _GNU_SOURCE
#include "CCurl.h"
#include "CCurlConnection.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/// Seconds for which authorities that were read are used for new connections.
static const long ca_cache_seconds = 600;
/// A request buffer larger than this is given back after use.
static const size_t kept_body = 64 << 10;
/// A request's own header lines: how many, and their bytes altogether, at first and at most.
enum { own_headers = 12, own_first = 512, own_most = 32 << 10 };
/// How long an answer of the resolver is used for new connections, in seconds: no longer than the shortest wait between
/// two tries, so that each try goes by what the name stands for now.
static const long resolved_for = 4;
/// Bytes of an answer's header lines, those of 1xx answers included; more of them end the transfer.
static const size_t head_limit = 64 << 10;
/// Bytes of an answer's body that are kept to be shown, where its head alone decides.
static const size_t shown_size = 1024;
/// An answer larger than this is given back before the next request.
static const size_t kept_answer = 64 << 10;
/// Bytes of the name and of the value of a header that the target asks for, their ends included.
enum { asked_headers = 2, asked_name_size = 64, asked_size = 256 };
/// Headers whose values are kept, and bytes of a value, its end included.
enum { kept_retry_after, kept_reset_after, kept_reset, kept_date, kept_content_type, kept_headers, kept_size = 64 };
static const char *const kept_names[kept_headers] = {
    "retry-after", "x-ratelimit-reset-after", "x-ratelimit-reset", "date", "content-type",
};

struct ccurl_transfer {
    CURL *easy;
    void *context;
    ccurl_judge judge;
    void *judge_context;
    size_t answer_limit;
    bool needs_body;
    bool has_body;
    // The request.
    struct curl_slist own[own_headers];
    char *own_text;
    size_t own_capacity;
    struct curl_slist *fixed;
    size_t fixed_count;
    uint8_t *body;
    size_t body_capacity;
    // What became of it so far.
    size_t head_bytes;
    uint8_t *answer;
    size_t answer_size, answer_capacity;
    size_t answer_bytes;
    bool was_cut;
    bool was_denied;
    bool was_allowed;
    bool has_answer;
    // Of the head that came last: its status, its kept headers, and when it was whole (0: not yet).
    int head_status;
    bool has_rate_limit;
    char kept[kept_headers][kept_size];
    char asked_names[asked_headers][asked_name_size];
    char asked[asked_headers][asked_size];
    int64_t head_ended_at;
    bool was_asked;
    ccurl_connection connection;
    int64_t requested_at;
    char error[CURL_ERROR_SIZE];
    // Fixed.
    uint32_t pool;
    bool listens;
    bool has_certificate;
    int64_t started_at;
    int64_t connected_at;
};

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_allowed(ccurl_transfer *transfer, const void *address, size_t length) {
    bool allowed = !transfer->judge || transfer->judge(transfer->judge_context, address, length);
    if (allowed) transfer->was_allowed = true;
    else transfer->was_denied = true;
    return allowed;
}

// Hooks.

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    ccurl_transfer *transfer = context;
    bool allowed = false;
    if (purpose == CURLSOCKTYPE_IPCXN && address->family == AF_INET) {
        allowed = is_allowed(transfer, &((struct sockaddr_in *)&address->addr)->sin_addr, 4);
    } else if (purpose == CURLSOCKTYPE_IPCXN && address->family == AF_INET6) {
        allowed = is_allowed(transfer, &((struct sockaddr_in6 *)&address->addr)->sin6_addr, 16);
    }
    if (!allowed) return CURL_SOCKET_BAD;
    // What keeps the connections of endpoints apart (see aim) is no scope of an address.
    struct sockaddr_in6 *address6 = (struct sockaddr_in6 *)&address->addr;
    if (address->family == AF_INET6 && transfer->pool && address6->sin6_scope_id == transfer->pool) {
        address6->sin6_scope_id = 0;
    }
    return ccurl_connection_open(&transfer->connection, address);
}

// Called for each request, on a reused connection too, where open_socket is not.
static int before_request(void *context, char *remote, char *local, int remote_port, int local_port) {
    (void)local;
    ccurl_transfer *transfer = context;
    ccurl_connection *connection = &transfer->connection;
    if (!ccurl_connection_is_ready(connection, remote, remote_port, local_port)) return CURL_PREREQFUNC_ABORT;
    uint8_t bytes[16];
    size_t size = ccurl_connection_address(remote, bytes);
    // Of a connection that has ended already there is no address: nothing is written, and nothing is denied either.
    if (size == 0) return CURL_PREREQFUNC_ABORT;
    if (!is_allowed(transfer, bytes, size)) {
        // Nothing was written yet, whatever another address was allowed.
        transfer->was_denied = true;
        transfer->was_allowed = false;
        return CURL_PREREQFUNC_ABORT;
    }
    transfer->requested_at = now_ms();
    // The handshake is over, and the rest is nothing that listen is after.
    curl_easy_setopt(transfer->easy, CURLOPT_VERBOSE, 0L);
    return CURL_PREREQFUNC_OK;
}

// Listens to what libcurl says of the handshake. In TLS 1.3 a server refuses the client's certificate when the client has
// ended the handshake and begun to write; the refusal is then lost whenever the write fails before it is read. That there
// was a request for a certificate is all that tells such an end from any other.
static int listen_in(CURL *easy, curl_infotype type, char *data, size_t size, void *context) {
    (void)easy;
    static const char request[] = "TLS handshake, Request CERT";
    if (type == CURLINFO_TEXT && memmem(data, size, request, sizeof request - 1)) {
        ((ccurl_transfer *)context)->was_asked = true;
    }
    return 0;
}

static void forget_head(ccurl_transfer *transfer) {
    transfer->head_status = 0;
    transfer->has_rate_limit = false;
    transfer->head_ended_at = 0;
    for (size_t i = 0; i < kept_headers; i++) transfer->kept[i][0] = 0;
    for (size_t i = 0; i < asked_headers; i++) transfer->asked[i][0] = 0;
}

static bool begins_with(const char *data, size_t size, const char *name) {
    size_t length = strlen(name);
    return size > length && strncasecmp(data, name, length) == 0;
}

// The first of several headers of a name counts.
static void keep_value(char *value, size_t capacity, const char *name, const char *data, size_t size) {
    size_t length = strlen(name);
    if (value[0] || length == 0 || !begins_with(data, size, name) || data[length] != ':') return;
    const char *from = data + length + 1, *end = data + size;
    while (from < end && isspace((unsigned char)*from)) from++;
    while (end > from && isspace((unsigned char)end[-1])) end--;
    size_t kept = (size_t)(end - from) < capacity ? (size_t)(end - from) : capacity - 1;
    memcpy(value, from, kept);
    value[kept] = 0;
}

static void keep_header(ccurl_transfer *transfer, const char *data, size_t size) {
    if (begins_with(data, size, "x-ratelimit-")) transfer->has_rate_limit = true;
    for (size_t i = 0; i < kept_headers; i++) keep_value(transfer->kept[i], kept_size, kept_names[i], data, size);
    for (size_t i = 0; i < asked_headers; i++) {
        keep_value(transfer->asked[i], asked_size, transfer->asked_names[i], data, size);
    }
}

static void read_header(ccurl_transfer *transfer, const char *data, size_t size) {
    // What comes behind a whole head are trailers.
    if (transfer->head_ended_at) return;
    if (begins_with(data, size, "HTTP/")) {
        forget_head(transfer);
        const char *space = memchr(data, ' ', size);
        for (size_t i = 1; space && i <= 3 && space + i < data + size; i++) {
            if (!isdigit((unsigned char)space[i])) break;
            transfer->head_status = transfer->head_status * 10 + (space[i] - '0');
        }
    } else if (size <= 2 && (data[0] == '\r' || data[0] == '\n')) {
        // The head of an interim answer (1xx) is not the one that counts.
        if (transfer->head_status >= 200) transfer->head_ended_at = now_ms();
    } else {
        keep_header(transfer, data, size);
    }
}

static size_t take_header(char *data, size_t size, size_t count, void *context) {
    ccurl_transfer *transfer = context;
    if (!transfer->has_answer && !ccurl_connection_owns_answer(&transfer->connection)) return 0;
    transfer->has_answer = true;
    transfer->head_bytes += size * count;
    if (size * count > 0) read_header(transfer, data, size * count);
    return transfer->head_bytes <= head_limit ? size * count : 0;
}

static bool append_answer(ccurl_transfer *transfer, const char *data, size_t size) {
    size_t needed = transfer->answer_size + size;
    if (needed > transfer->answer_capacity) {
        size_t capacity = transfer->answer_capacity ? transfer->answer_capacity : shown_size;
        while (capacity < needed) capacity *= 2;
        uint8_t *grown = realloc(transfer->answer, capacity);
        if (!grown) return false;
        transfer->answer = grown;
        transfer->answer_capacity = capacity;
    }
    if (size > 0) memcpy(transfer->answer + transfer->answer_size, data, size);
    transfer->answer_size = needed;
    return true;
}

static size_t take_body(char *data, size_t size, size_t count, void *context) {
    ccurl_transfer *transfer = context;
    size_t bytes = size * count;
    size_t room = (transfer->needs_body ? transfer->answer_limit : shown_size) - transfer->answer_size;
    if (!append_answer(transfer, data, bytes < room ? bytes : room)) return 0;
    transfer->answer_bytes += bytes;
    if (transfer->answer_bytes <= transfer->answer_limit) return bytes;
    transfer->was_cut = true;
    return 0;
}

// Multi.

bool ccurl_global_init(void) { return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK; }

ccurl_multi *ccurl_multi_make(long max_idle) {
    ccurl_multi *multi = calloc(1, sizeof *multi);
    if (!multi) return NULL;
    multi->curl = curl_multi_init();
    if (!multi->curl) {
        free(multi);
        return NULL;
    }
    curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, max_idle);
    return multi;
}

void ccurl_multi_perform(ccurl_multi *multi) {
    int running;
    curl_multi_perform(multi->curl, &running);
}

void ccurl_multi_poll(ccurl_multi *multi, int timeout_ms) {
    curl_multi_poll(multi->curl, NULL, 0, timeout_ms, NULL);
}

void ccurl_multi_wakeup(ccurl_multi *multi) { curl_multi_wakeup(multi->curl); }

// A server's refusal that came behind the handshake, or an end that came from one.
static bool is_late_refusal(const ccurl_transfer *transfer, CURLcode code) {
    if (transfer->has_answer) return false;
    if (code != CURLE_RECV_ERROR && code != CURLE_SEND_ERROR && code != CURLE_GOT_NOTHING) return false;
    return transfer->was_asked || strstr(transfer->error, "SSL routines") != NULL;
}

static ccurl_kind kind_of(const ccurl_transfer *transfer, CURLcode code) {
    if (transfer->was_denied && !transfer->was_allowed) return CCURL_DENIED;
    // Where the status says all that is needed, the body may be too long, not to be unpacked, broken off or too slow.
    if (transfer->head_ended_at && !transfer->needs_body) return CCURL_ANSWERED;
    switch (code) {
    case CURLE_OK: return CCURL_ANSWERED;
    case CURLE_WRITE_ERROR: return transfer->was_cut ? CCURL_ANSWERED : CCURL_BROKEN;
    case CURLE_OPERATION_TIMEDOUT: return CCURL_TIMED_OUT;
    case CURLE_COULDNT_RESOLVE_HOST: return CCURL_UNRESOLVED;
    case CURLE_COULDNT_CONNECT: return CCURL_UNCONNECTED;
    case CURLE_COULDNT_RESOLVE_PROXY: return CCURL_PROXY_FAILED;
    // An answer that does not begin with "HTTP/1.", or is of a version that libcurl does not know here.
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY: return CCURL_NO_HTTP;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS: return CCURL_TLS_FAILED;
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        if (is_late_refusal(transfer, code)) return CCURL_TLS_FAILED;
        return transfer->has_answer ? CCURL_BROKEN : CCURL_UNANSWERED;
    default: return CCURL_BROKEN;
    }
}

/// Unix seconds of a date in a header; -1: it is none. Nor is a number alone, which libcurl sometimes reads as a date.
static int64_t date_of(const char *text) {
    for (const char *next = text; *next; next++) {
        if (isalpha((unsigned char)*next)) return curl_getdate(text, NULL);
    }
    return -1;
}

static void read_result(const ccurl_transfer *transfer, CURLcode code, ccurl_result *result) {
    CURL *easy = transfer->easy;
    char *redirect = NULL;
    result->status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &result->status);
    curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &redirect);
    result->kind = ccurl_connection_was_stale(&transfer->connection, code, transfer->has_answer)
        ? CCURL_STALE : kind_of(transfer, code);
    result->proxy_status = 0;
    if (code == CURLE_OK || transfer->head_ended_at) {
        // Nobody but a proxy asks for a proxy's credentials.
        if (result->status == 407 && !transfer->needs_body) result->proxy_status = result->status;
    } else if (!transfer->has_answer) {
        long status = 0;
        curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
        if (status >= 300) result->proxy_status = status;
    }
    if (result->proxy_status) result->kind = CCURL_PROXY_FAILED;
    result->retry_after = transfer->kept[kept_retry_after];
    result->retry_at_s = date_of(transfer->kept[kept_retry_after]);
    result->rate_limit_reset_after = transfer->kept[kept_reset_after];
    result->rate_limit_reset = transfer->kept[kept_reset];
    result->date_s = date_of(transfer->kept[kept_date]);
    result->content_type = transfer->kept[kept_content_type];
    result->has_rate_limit = transfer->has_rate_limit;
    for (size_t i = 0; i < asked_headers; i++) result->asked_headers[i] = transfer->asked[i];
    result->was_cut = transfer->was_cut;
    result->redirect_url = redirect;
    // libcurl's own text names hosts and certificates where these are the matter; elsewhere it might quote the answer.
    bool is_told = code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_PROXY
        || code == CURLE_OPERATION_TIMEDOUT || result->kind == CCURL_TLS_FAILED;
    result->was_asked = transfer->was_asked;
    result->has_certificate = transfer->has_certificate;
    result->message = is_told && transfer->error[0] ? transfer->error : curl_easy_strerror(code);
}

void *ccurl_multi_next(ccurl_multi *multi, ccurl_result *result) {
    int left;
    CURLMsg *message;
    do {
        message = curl_multi_info_read(multi->curl, &left);
        if (!message) return NULL;
    } while (message->msg != CURLMSG_DONE);
    // The message is gone once the handle is removed.
    CURLcode code = message->data.result;
    CURL *easy = message->easy_handle;
    char *private = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    ccurl_transfer *transfer = (ccurl_transfer *)private;
    curl_multi_remove_handle(multi->curl, easy);
    read_result(transfer, code, result);
    return transfer->context;
}

// Transfers.

static bool aim(ccurl_transfer *transfer, const ccurl_target *target) {
    CURL *easy = transfer->easy;
    bool ok = true;
#define SET(option, value) ok = ok && curl_easy_setopt(easy, option, value) == CURLE_OK
    SET(CURLOPT_PRIVATE, transfer);
    SET(CURLOPT_ERRORBUFFER, transfer->error);
    SET(CURLOPT_URL, target->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_USERAGENT, target->user_agent);
    if (strcmp(target->method, "HEAD") == 0) SET(CURLOPT_NOBODY, 1L);
    if (transfer->has_body) SET(CURLOPT_POST, 1L);
    if (transfer->has_body && strcmp(target->method, "POST") != 0) SET(CURLOPT_CUSTOMREQUEST, target->method);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    // No proxy of the environment: the judge would see the proxy's address in place of the target's.
    SET(CURLOPT_PROXY, target->proxy ? target->proxy : "");
    SET(CURLOPT_NOPROXY, "");
    if (target->proxy) {
        SET(CURLOPT_PROXYTYPE, (long)CURLPROXY_HTTP);
        SET(CURLOPT_PROXYPORT, target->proxy_port);
        SET(CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC);
        // What the proxy says before the tunnel stands is no byte of an answer.
        SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    }
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOSIGNAL, 1L);
    // A name server that hangs must not hang the thread when its transfer times out.
    SET(CURLOPT_QUICK_EXIT, 1L);
    if (target->needs_body) {
        // Calls of APIs: their path is signed as it stands.
        SET(CURLOPT_PATH_AS_IS, 1L);
    } else {
        // Of a thousand transfers at once each would take 80 KiB; what is sent and read is small, so the least will do.
        SET(CURLOPT_BUFFERSIZE, 2048L);
        SET(CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
        // An answer that is compressed, unasked or not, counts by what it comes to.
        SET(CURLOPT_ACCEPT_ENCODING, "gzip");
        SET(CURLOPT_DNS_CACHE_TIMEOUT, resolved_for);
    }
    // Endpoints share no connection, also where they share a host or a proxy. libcurl keeps connections by scope, port
    // and host, and only link-local IPv6 needs the scope.
    SET(CURLOPT_ADDRESS_SCOPE, (long)transfer->pool);
    SET(CURLOPT_CONNECTTIMEOUT_MS, target->connect_timeout_ms);
    SET(CURLOPT_TIMEOUT_MS, target->timeout_ms);
    SET(CURLOPT_SSLVERSION, target->requires_tls13 ? (long)CURL_SSLVERSION_TLSv1_3 : (long)CURL_SSLVERSION_TLSv1_2);
    // A new file of authorities must not wait a day for its turn.
    SET(CURLOPT_CA_CACHE_TIMEOUT, ca_cache_seconds);
    if (!target->needs_body && strncasecmp(target->url, "https:", 6) == 0) {
        SET(CURLOPT_DEBUGFUNCTION, listen_in);
        SET(CURLOPT_DEBUGDATA, transfer);
        transfer->listens = true;
    }
    if (target->client_cert) {
        transfer->has_certificate = true;
        SET(CURLOPT_SSLCERT, target->client_cert);
        if (target->client_key) SET(CURLOPT_SSLKEY, target->client_key);
        // An encrypted key is an error, not a question on a terminal.
        SET(CURLOPT_KEYPASSWD, "");
    }
    if (target->ca_file) {
        SET(CURLOPT_CAINFO, target->ca_file);
        SET(CURLOPT_CAPATH, NULL);
    }
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, transfer);
    SET(CURLOPT_PREREQFUNCTION, before_request);
    SET(CURLOPT_PREREQDATA, transfer);
    SET(CURLOPT_HEADERFUNCTION, take_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, transfer);
#undef SET
    return ok;
}

/// Whether a URL's host is an IPv6 address with a scope, as in http://[fe80::1%25eth0]/.
static bool has_scope(const char *url) {
    const char *begin = strchr(url, '[');
    const char *end = begin ? strchr(begin, ']') : NULL;
    return end && memchr(begin, '%', (size_t)(end - begin));
}

ccurl_transfer *ccurl_transfer_make(const ccurl_target *target, void *context) {
    ccurl_transfer *transfer = calloc(1, sizeof *transfer);
    if (!transfer) return NULL;
    size_t count = 0;
    while (target->headers && target->headers[count]) count++;
    transfer->easy = curl_easy_init();
    transfer->fixed = calloc(count + 1, sizeof *transfer->fixed);
    transfer->context = context;
    transfer->judge = target->judge;
    transfer->judge_context = target->judge_context;
    transfer->answer_limit = target->answer_limit;
    transfer->needs_body = target->needs_body;
    transfer->has_body = strcmp(target->method, "GET") != 0 && strcmp(target->method, "HEAD") != 0;
    for (size_t i = 0; i < asked_headers; i++) {
        const char *name = target->asked_headers[i];
        if (name && strlen(name) < asked_name_size) strcpy(transfer->asked_names[i], name);
    }
    // A scope that an address brings must stay, so connections to it are shared.
    transfer->pool = has_scope(target->url) || (target->proxy && has_scope(target->proxy)) ? 0 : target->pool;
    if (!transfer->easy || !transfer->fixed) {
        ccurl_transfer_free(transfer);
        return NULL;
    }
    // The list's nodes live in the transfer, so that a request allocates none.
    for (size_t i = 0; i < count; i++) {
        transfer->fixed[i].data = (char *)target->headers[i];
        transfer->fixed[i].next = i + 1 < count ? &transfer->fixed[i + 1] : NULL;
    }
    transfer->fixed_count = count;
    if (!aim(transfer, target)) {
        ccurl_transfer_free(transfer);
        return NULL;
    }
    return transfer;
}

void ccurl_transfer_free(ccurl_transfer *transfer) {
    if (!transfer) return;
    if (transfer->easy) curl_easy_cleanup(transfer->easy);
    free(transfer->fixed);
    free(transfer->body);
    free(transfer->answer);
    free(transfer->own_text);
    free(transfer);
}

static bool keep_headers(ccurl_transfer *transfer, const char *const *headers) {
    size_t count = 0, bytes = 0;
    for (; headers[count]; count++) {
        bytes += strlen(headers[count]) + 1;
        if (count == own_headers || bytes > own_most) return false;
    }
    if (count == 0) {
        struct curl_slist *all = transfer->fixed_count ? transfer->fixed : NULL;
        return curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, all) == CURLE_OK;
    }
    if (bytes > transfer->own_capacity) {
        free(transfer->own_text);
        transfer->own_capacity = bytes < own_first ? own_first : bytes;
        transfer->own_text = malloc(transfer->own_capacity);
        if (!transfer->own_text) {
            transfer->own_capacity = 0;
            return false;
        }
    }
    char *next = transfer->own_text;
    for (size_t i = 0; i < count; i++) {
        transfer->own[i].data = strcpy(next, headers[i]);
        next += strlen(headers[i]) + 1;
        transfer->own[i].next = i + 1 < count ? &transfer->own[i + 1] : transfer->fixed_count ? transfer->fixed : NULL;
    }
    return curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->own) == CURLE_OK;
}

static bool begin(ccurl_transfer *transfer, ccurl_multi *multi, bool is_fresh) {
    if (transfer->listens && curl_easy_setopt(transfer->easy, CURLOPT_VERBOSE, 1L) != CURLE_OK) return false;
    if (transfer->answer_capacity > kept_answer) {
        free(transfer->answer);
        transfer->answer = NULL;
        transfer->answer_capacity = 0;
    }
    transfer->head_bytes = transfer->answer_bytes = transfer->answer_size = 0;
    transfer->was_cut = transfer->was_denied = transfer->was_allowed = transfer->has_answer = false;
    forget_head(transfer);
    transfer->was_asked = false;
    transfer->requested_at = 0;
    transfer->started_at = now_ms();
    transfer->connected_at = 0;
    transfer->error[0] = 0;
    return ccurl_connection_begin(&transfer->connection, multi, transfer->easy, is_fresh)
        && curl_multi_add_handle(multi->curl, transfer->easy) == CURLM_OK;
}

bool ccurl_transfer_send(ccurl_transfer *transfer, ccurl_multi *multi, const uint8_t *body, size_t size,
                         const char *const *headers) {
    if (!keep_headers(transfer, headers)) return false;
    transfer->connection.body_size = 0;
    if (!transfer->has_body) return begin(transfer, multi, false);
    if (transfer->body_capacity > kept_body || transfer->body_capacity < size || !transfer->body) {
        free(transfer->body);
        transfer->body_capacity = size < 1024 ? 1024 : size;
        transfer->body = malloc(transfer->body_capacity);
        if (!transfer->body) {
            transfer->body_capacity = 0;
            return false;
        }
    }
    if (size > 0) memcpy(transfer->body, body, size);
    transfer->connection.body_size = (curl_off_t)size;
    return curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, transfer->body) == CURLE_OK
        && curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size) == CURLE_OK
        && begin(transfer, multi, false);
}

bool ccurl_transfer_repeat(ccurl_transfer *transfer, ccurl_multi *multi) { return begin(transfer, multi, true); }

size_t ccurl_transfer_answer(const ccurl_transfer *transfer, const uint8_t **bytes) {
    *bytes = transfer->answer;
    return transfer->answer_size;
}

void ccurl_transfer_cut(ccurl_transfer *transfer, ccurl_multi *multi, ccurl_result *result) {
    ccurl_transfer_cancel(transfer, multi);
    read_result(transfer, CURLE_OK, result);
}

void ccurl_transfer_cancel(ccurl_transfer *transfer, ccurl_multi *multi) {
    curl_multi_remove_handle(multi->curl, transfer->easy);
}

// libcurl 7.88 tells the time of the connection only once TLS is done, so the sockets are asked.
static bool is_connected(const ccurl_transfer *transfer) {
    for (size_t i = 0; i < ccurl_families; i++) {
        struct tcp_info info;
        socklen_t size = sizeof info;
        int opened = transfer->connection.opened[i];
        if (opened >= 0 && getsockopt(opened, IPPROTO_TCP, TCP_INFO, &info, &size) == 0
            && info.tcpi_state == TCP_ESTABLISHED) {
            return true;
        }
    }
    return false;
}

ccurl_phase ccurl_transfer_phase(ccurl_transfer *transfer, int64_t *since) {
    *since = transfer->requested_at;
    if (transfer->head_ended_at) {
        *since = transfer->head_ended_at;
        return CCURL_BODY;
    }
    if (transfer->has_answer) return CCURL_READING;
    if (transfer->requested_at) return CCURL_WAITING;
    if (!transfer->connected_at && is_connected(transfer)) transfer->connected_at = now_ms();
    *since = transfer->connected_at ? transfer->connected_at : transfer->started_at;
    return transfer->connected_at ? CCURL_SECURING : CCURL_CONNECTING;
}
