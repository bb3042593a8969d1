#define _GNU_SOURCE
#include "CCurlExchange.h"
#include "CCurl.h"
#include "CCurlConnection.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/// Bytes of a kept header's value, its end included.
enum { kept_headers = 2, header_size = 256, name_size = 64 };

struct ccurl_exchange {
    CURL *easy;
    void *context;
    struct curl_slist *headers;
    char kept_names[kept_headers][name_size];
    char kept_values[kept_headers][header_size];
    uint8_t *answer;
    size_t answer_size, answer_capacity, answer_limit;
    bool was_cut, has_answer, was_denied, was_allowed;
    ccurl_judge judge;
    void *judge_context;
    ccurl_connection connection;
    char error[CURL_ERROR_SIZE];
};

static bool is_allowed(ccurl_exchange *exchange, const void *address, size_t size) {
    bool allowed = !exchange->judge || exchange->judge(exchange->judge_context, address, size);
    if (allowed) exchange->was_allowed = true;
    else exchange->was_denied = true;
    return allowed;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)purpose;
    ccurl_exchange *exchange = context;
    bool allowed = !exchange->judge;
    if (!allowed && address->family == AF_INET) {
        allowed = is_allowed(exchange, &((struct sockaddr_in *)&address->addr)->sin_addr, 4);
    } else if (!allowed && address->family == AF_INET6) {
        allowed = is_allowed(exchange, &((struct sockaddr_in6 *)&address->addr)->sin6_addr, 16);
    }
    return allowed ? ccurl_connection_open(&exchange->connection, address) : CURL_SOCKET_BAD;
}

static int before_request(void *context, char *remote, char *local, int remote_port, int local_port) {
    (void)local;
    ccurl_exchange *exchange = context;
    if (!ccurl_connection_is_ready(&exchange->connection, remote, remote_port, local_port)) {
        return CURL_PREREQFUNC_ABORT;
    }
    if (!exchange->judge) return CURL_PREREQFUNC_OK;
    uint8_t bytes[16];
    size_t size = ccurl_connection_address(remote, bytes);
    // Of a connection that has ended already there is no address: nothing is written, and nothing is denied either.
    if (size == 0) return CURL_PREREQFUNC_ABORT;
    if (is_allowed(exchange, bytes, size)) return CURL_PREREQFUNC_OK;
    // Nothing was written yet, whatever another address was allowed.
    exchange->was_allowed = false;
    return CURL_PREREQFUNC_ABORT;
}

static size_t take_header(char *data, size_t size, size_t count, void *context) {
    ccurl_exchange *exchange = context;
    size_t bytes = size * count;
    if (!exchange->has_answer && !ccurl_connection_owns_answer(&exchange->connection)) return 0;
    exchange->has_answer = true;
    for (size_t i = 0; i < kept_headers; i++) {
        const char *name = exchange->kept_names[i];
        size_t length = strlen(name);
        if (length == 0 || bytes <= length || data[length] != ':' || strncasecmp(data, name, length)) continue;
        const char *from = data + length + 1, *end = data + bytes;
        while (from < end && isspace((unsigned char)*from)) from++;
        while (end > from && isspace((unsigned char)end[-1])) end--;
        size_t kept = (size_t)(end - from) < header_size ? (size_t)(end - from) : header_size - 1;
        memcpy(exchange->kept_values[i], from, kept);
        exchange->kept_values[i][kept] = 0;
    }
    return bytes;
}

static size_t take_body(char *data, size_t size, size_t count, void *context) {
    ccurl_exchange *exchange = context;
    size_t bytes = size * count;
    if (bytes > exchange->answer_limit - exchange->answer_size) {
        exchange->was_cut = true;
        return 0;
    }
    if (bytes > exchange->answer_capacity - exchange->answer_size) {
        size_t capacity = exchange->answer_capacity ? exchange->answer_capacity : 4096;
        while (capacity - exchange->answer_size < bytes) capacity *= 2;
        uint8_t *grown = realloc(exchange->answer, capacity);
        if (!grown) return 0;
        exchange->answer = grown;
        exchange->answer_capacity = capacity;
    }
    memcpy(exchange->answer + exchange->answer_size, data, bytes);
    exchange->answer_size += bytes;
    return bytes;
}

static bool aim(ccurl_exchange *exchange, const ccurl_question *question) {
    CURL *easy = exchange->easy;
    bool ok = true;
#define SET(option, value) ok = ok && curl_easy_setopt(easy, option, value) == CURLE_OK
    SET(CURLOPT_PRIVATE, exchange);
    SET(CURLOPT_ERRORBUFFER, exchange->error);
    SET(CURLOPT_URL, question->url);
    // The path is signed as it stands.
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_USERAGENT, question->user_agent);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, question->connect_timeout_ms);
    SET(CURLOPT_TIMEOUT_MS, question->timeout_ms);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (question->ca_file) {
        SET(CURLOPT_CAINFO, question->ca_file);
        SET(CURLOPT_CAPATH, NULL);
    }
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, exchange);
    SET(CURLOPT_PREREQFUNCTION, before_request);
    SET(CURLOPT_PREREQDATA, exchange);
    SET(CURLOPT_HEADERFUNCTION, take_header);
    SET(CURLOPT_HEADERDATA, exchange);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, exchange);
    SET(CURLOPT_HTTPHEADER, exchange->headers);
    if (strcmp(question->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (strcmp(question->method, "GET") != 0) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_CUSTOMREQUEST, question->method);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)question->body_size);
        exchange->connection.body_size = (curl_off_t)question->body_size;
        SET(CURLOPT_COPYPOSTFIELDS, question->body_size ? (const char *)question->body : "");
    }
#undef SET
    return ok;
}

static bool begin(ccurl_exchange *exchange, ccurl_multi *multi, bool is_fresh) {
    exchange->answer_size = 0;
    exchange->was_cut = exchange->has_answer = exchange->was_denied = exchange->was_allowed = false;
    for (size_t i = 0; i < kept_headers; i++) exchange->kept_values[i][0] = 0;
    exchange->error[0] = 0;
    return ccurl_connection_begin(&exchange->connection, multi, exchange->easy, is_fresh)
        && curl_multi_add_handle(multi->curl, exchange->easy) == CURLM_OK;
}

bool ccurl_exchange_repeat(ccurl_exchange *exchange, ccurl_multi *multi) { return begin(exchange, multi, true); }

ccurl_exchange *ccurl_exchange_start(ccurl_multi *multi, const ccurl_question *question, void *context) {
    ccurl_exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange) return NULL;
    exchange->easy = curl_easy_init();
    exchange->context = context;
    exchange->answer_limit = question->answer_limit;
    exchange->judge = question->judge;
    exchange->judge_context = question->judge_context;
    for (size_t i = 0; i < kept_headers; i++) {
        const char *name = question->kept_headers[i];
        if (name && strlen(name) < name_size) strcpy(exchange->kept_names[i], name);
    }
    bool ok = exchange->easy != NULL;
    for (size_t i = 0; ok && question->headers[i]; i++) {
        struct curl_slist *longer = curl_slist_append(exchange->headers, question->headers[i]);
        ok = longer != NULL;
        if (ok) exchange->headers = longer;
    }
    if (!ok || !aim(exchange, question) || !begin(exchange, multi, false)) {
        ccurl_exchange_free(exchange);
        return NULL;
    }
    return exchange;
}

static int kind_of(const ccurl_exchange *exchange, CURLcode code) {
    if (exchange->was_denied && !exchange->was_allowed) return CCURL_DENIED;
    if (ccurl_connection_was_stale(&exchange->connection, code, exchange->has_answer)) return CCURL_STALE;
    switch (code) {
    case CURLE_OK: return CCURL_ANSWERED;
    case CURLE_WRITE_ERROR: return exchange->was_cut ? CCURL_ANSWERED : CCURL_BROKEN;
    case CURLE_OPERATION_TIMEDOUT: return CCURL_TIMED_OUT;
    case CURLE_COULDNT_RESOLVE_HOST: return CCURL_UNRESOLVED;
    case CURLE_COULDNT_CONNECT: return CCURL_UNCONNECTED;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION: return CCURL_TLS_FAILED;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY: return CCURL_NO_HTTP;
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR: return exchange->has_answer ? CCURL_BROKEN : CCURL_UNANSWERED;
    default: return CCURL_BROKEN;
    }
}

void *ccurl_exchange_next(ccurl_multi *multi, ccurl_exchange **ended, ccurl_answer *answer) {
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
    ccurl_exchange *exchange = (ccurl_exchange *)private;
    curl_multi_remove_handle(multi->curl, easy);
    answer->status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
    answer->kind = kind_of(exchange, code);
    answer->body = exchange->answer;
    answer->body_size = exchange->answer_size;
    answer->was_cut = exchange->was_cut;
    for (size_t i = 0; i < kept_headers; i++) answer->kept_headers[i] = exchange->kept_values[i];
    bool is_told = answer->kind == CCURL_UNRESOLVED || answer->kind == CCURL_UNCONNECTED
        || answer->kind == CCURL_TIMED_OUT || answer->kind == CCURL_TLS_FAILED;
    answer->message = is_told && exchange->error[0] ? exchange->error : curl_easy_strerror(code);
    *ended = exchange;
    return exchange->context;
}

void ccurl_exchange_cancel(ccurl_exchange *exchange, ccurl_multi *multi) {
    if (!exchange) return;
    curl_multi_remove_handle(multi->curl, exchange->easy);
    ccurl_exchange_free(exchange);
}

void ccurl_exchange_free(ccurl_exchange *exchange) {
    if (!exchange) return;
    if (exchange->easy) curl_easy_cleanup(exchange->easy);
    curl_slist_free_all(exchange->headers);
    free(exchange->answer);
    free(exchange);
}
