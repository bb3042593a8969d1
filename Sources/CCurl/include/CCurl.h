// What Crowbar's plugins use of libcurl, behind functions that Swift can call: libcurl's own setters are variadic, and
// its hooks need C. Each transfer is one easy handle, for one request after another, that reads a bounded answer.
#ifndef CROWBAR_CCURL_H
#define CROWBAR_CCURL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// A libcurl multi handle. All calls but ccurl_multi_wakeup belong to one thread.
typedef struct ccurl_multi ccurl_multi;
/// A libcurl easy handle with the buffers of its request.
typedef struct ccurl_transfer ccurl_transfer;

/// Says whether a request may go to an address: 4 bytes of IPv4 or 16 of IPv6, network order.
typedef bool (*ccurl_judge)(void *context, const uint8_t *address, size_t length);

/// Where the requests of a transfer go; texts are copied.
typedef struct {
    /// As "POST"; "GET" and "HEAD" go without a body.
    const char *method;
    const char *url;
    const char *user_agent;
    /// The HTTP proxy to go through, with credentials where it wants them; NULL: none. The judge is asked about its address.
    const char *proxy;
    /// The proxy's port, where its URL says none.
    long proxy_port;
    /// CA certificates in place of the system's, PEM; NULL: the system's.
    const char *ca_file;
    /// The client's certificate with its chain, PEM; NULL: none.
    const char *client_cert;
    /// Its private key, PEM, not encrypted; NULL: it is in the certificate's file.
    const char *client_key;
    /// No TLS below 1.3; else none below 1.2.
    bool requires_tls13;
    /// "Name: value" lines, NULL-terminated, that each request carries. Not copied: they must outlive the transfer.
    const char *const *headers;
    /// Milliseconds for name, connection and TLS together.
    long connect_timeout_ms;
    /// Milliseconds for everything.
    long timeout_ms;
    /// Bytes of the answer's body that are read; one more ends the transfer.
    size_t answer_limit;
    /// The answer's body matters: it must arrive, and all that is read is kept. Else the answer's head decides, and the
    /// first KiB of the body is kept to be shown.
    bool needs_body;
    /// Two more headers of the answer whose values are kept, 255 bytes of each; NULL: none.
    const char *asked_headers[2];
    /// Which addresses the requests may go to; NULL: each.
    ccurl_judge judge;
    /// The judge's context, which must outlive the transfer.
    void *judge_context;
    /// Transfers reuse connections of the same pool only; 0: one pool for all that have this.
    uint32_t pool;
} ccurl_target;

/// How a transfer ended.
typedef enum {
    CCURL_ANSWERED,  ///< The whole head of an answer, and as much of its body as came or is read.
    CCURL_DENIED,    ///< The judge refused every address.
    CCURL_TIMED_OUT,
    CCURL_UNRESOLVED,
    CCURL_UNCONNECTED,
    CCURL_TLS_FAILED,
    CCURL_PROXY_FAILED,  ///< The proxy has no address, or refused the request.
    CCURL_STALE,       ///< A kept connection was closed, or had input that is no answer to this request; repeat it.
    CCURL_NO_HTTP,     ///< What was answered is not HTTP/1.
    CCURL_UNANSWERED,  ///< The connection ended before any byte of an answer.
    CCURL_BROKEN,    ///< Anything else.
} ccurl_kind;

/// What a transfer came to. Texts are valid until the transfer is used again.
typedef struct {
    ccurl_kind kind;
    /// The HTTP status; 0 where there is none.
    long status;
    /// The proxy's own status where it refused; 0 where it did not.
    long proxy_status;
    /// The date that Retry-After names, in Unix seconds; below 0: it names none.
    int64_t retry_at_s;
    /// The values of these headers, cut off behind 63 bytes; empty: there is none.
    const char *retry_after, *rate_limit_reset_after, *rate_limit_reset, *content_type;
    /// The values of the headers that the target asks for; empty: there is none.
    const char *asked_headers[2];
    /// The answer's body was longer than the limit.
    bool was_cut;
    /// The answer's Date, in Unix seconds; below 0: there is none.
    int64_t date_s;
    /// It has a header whose name begins with X-RateLimit-.
    bool has_rate_limit;
    /// Where a 3xx points to, absolute; NULL: nowhere.
    const char *redirect_url;
    /// In the TLS handshake of this transfer the server asked for a client's certificate.
    bool was_asked;
    /// The target has one.
    bool has_certificate;
    /// Why, where it did not end with an answer. Names a host at most, never a path.
    const char *message;
} ccurl_result;

/// Once a process, before any thread.
bool ccurl_global_init(void);

/// Makes a multi handle that keeps up to `max_idle` unused connections; NULL: out of memory.
ccurl_multi *ccurl_multi_make(long max_idle);
/// Lets transfers move on, without waiting.
void ccurl_multi_perform(ccurl_multi *multi);
/// Waits for a socket, a wake-up or the time-out in milliseconds.
void ccurl_multi_poll(ccurl_multi *multi, int timeout_ms);
/// Ends a wait; callable from any thread.
void ccurl_multi_wakeup(ccurl_multi *multi);
/// Takes a finished transfer off the multi handle and returns its context; NULL: none has finished.
void *ccurl_multi_next(ccurl_multi *multi, ccurl_result *result);

/// Makes a transfer to a target; NULL: out of memory or a target that libcurl refuses.
ccurl_transfer *ccurl_transfer_make(const ccurl_target *target, void *context);
/// Frees a transfer that is on no multi handle.
void ccurl_transfer_free(ccurl_transfer *transfer);
/// Starts a request with a body (copied) and header lines of its own (NULL-terminated, copied): up to 12, and 32 KiB of
/// them altogether.
bool ccurl_transfer_send(ccurl_transfer *transfer, ccurl_multi *multi, const uint8_t *body, size_t size,
                         const char *const *headers);
/// What is kept of the answer's body; valid until the transfer is used again.
size_t ccurl_transfer_answer(const ccurl_transfer *transfer, const uint8_t **bytes);
/// Makes the same request once more, on a new connection.
bool ccurl_transfer_repeat(ccurl_transfer *transfer, ccurl_multi *multi);
/// Takes a transfer off the multi handle in mid-flight, closes its connection and reads the answer's head, which must be
/// whole (CCURL_BODY).
void ccurl_transfer_cut(ccurl_transfer *transfer, ccurl_multi *multi, ccurl_result *result);
/// Takes a transfer off the multi handle in mid-flight and closes its connection.
void ccurl_transfer_cancel(ccurl_transfer *transfer, ccurl_multi *multi);
/// What a transfer is doing.
typedef enum {
    CCURL_CONNECTING,  ///< It looks the name up, or connects.
    CCURL_SECURING,    ///< It is connected, and has TLS or a proxy's tunnel before it.
    CCURL_WAITING,     ///< Its request is out, and no byte of an answer has come.
    CCURL_READING,     ///< The answer has begun.
    CCURL_BODY,        ///< The answer's head is whole, and its body is not.
} ccurl_phase;
/// What a transfer in flight is doing, and since which millisecond of CLOCK_MONOTONIC (for an answer that has begun: since
/// its request; for a body: since the end of its head; for a connection: since the call that found it).
ccurl_phase ccurl_transfer_phase(ccurl_transfer *transfer, int64_t *since);

/// A URL as libcurl, which will connect by it, reads it. Buffers end with 0.
typedef struct {
    char scheme[16];
    /// Decoded, odd spellings of IPv4 made plain, IPv6 in brackets.
    char host[512];
    char port[8];
    bool has_credentials;
} ccurl_url;

/// Reads a URL; false: it is none that libcurl takes.
bool ccurl_url_read(const char *text, ccurl_url *url);

#endif
