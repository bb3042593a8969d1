// One request of any kind with its whole, bounded answer: for APIs whose answers matter, where a ccurl_transfer only posts.
#ifndef CROWBAR_CCURL_EXCHANGE_H
#define CROWBAR_CCURL_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ccurl_multi;
/// Says whether a request may go to an address: 4 bytes of IPv4 or 16 of IPv6, network order.
typedef bool (*ccurl_judge)(void *context, const uint8_t *address, size_t length);
/// A request on its way, used once.
typedef struct ccurl_exchange ccurl_exchange;

/// What is asked; everything is copied.
typedef struct {
    /// As "POST"; "GET" and "HEAD" go without a body.
    const char *method;
    const char *url;
    const char *user_agent;
    /// "Name: value" lines, NULL-terminated.
    const char *const *headers;
    const uint8_t *body;
    size_t body_size;
    /// Milliseconds for name, connection and TLS together.
    long connect_timeout_ms;
    /// Milliseconds for everything.
    long timeout_ms;
    /// Bytes of the answer's body that are kept; a longer answer is broken off.
    size_t answer_limit;
    /// Two headers of the answer whose values are kept, 255 bytes of each; NULL: none.
    const char *kept_headers[2];
    /// A file of CA certificates in place of the system's, PEM; NULL: the system's.
    const char *ca_file;
    /// Which addresses the request may go to; NULL: each.
    ccurl_judge judge;
    /// The judge's context, which must outlive the exchange.
    void *judge_context;
} ccurl_question;

/// How an exchange ended. What it points to is valid until the exchange is freed.
typedef struct {
    /// A ccurl_kind.
    int kind;
    /// The HTTP status; 0 where there is none.
    long status;
    const uint8_t *body;
    size_t body_size;
    /// The answer was longer than the limit.
    bool was_cut;
    /// The kept headers' values; empty: there is none.
    const char *kept_headers[2];
    /// Why, where there is no answer. Names a host at most, never a path.
    const char *message;
} ccurl_answer;

/// Starts a request, which is on a multi handle that carries nothing but exchanges; NULL: out of memory, or refused.
ccurl_exchange *ccurl_exchange_start(struct ccurl_multi *multi, const ccurl_question *question, void *context);
/// Takes a finished exchange off the multi handle and returns its context; NULL: none has finished.
void *ccurl_exchange_next(struct ccurl_multi *multi, ccurl_exchange **exchange, ccurl_answer *answer);
/// Makes the request of a finished exchange again, on a new connection (CCURL_STALE); false: out of memory.
bool ccurl_exchange_repeat(ccurl_exchange *exchange, struct ccurl_multi *multi);
/// Takes an exchange that has not finished off the multi handle, closes its connection and frees it.
void ccurl_exchange_cancel(ccurl_exchange *exchange, struct ccurl_multi *multi);
/// Frees an exchange that has finished.
void ccurl_exchange_free(ccurl_exchange *exchange);

#endif
