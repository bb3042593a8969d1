#ifndef COPENSSL_H
#define COPENSSL_H

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stddef.h>

/* The hash functions that keep their state in the caller's memory: OpenSSL 3 calls them deprecated, but its EVP
   functions look the algorithm up and allocate at each message, which costs more than hashing a short one. */
void COpenSSL_sha256_init(SHA256_CTX *context);
void COpenSSL_sha256_update(SHA256_CTX *context, const void *bytes, size_t count);
void COpenSSL_sha256_final(SHA256_CTX *context, unsigned char *out);

/* What OpenSSL offers as macros only, which Swift does not see. */
int COpenSSL_set_server_name(SSL *ssl, const char *name);
int COpenSSL_require_tls12(SSL_CTX *context);
void COpenSSL_allow_moving_writes(SSL_CTX *context);
void COpenSSL_memory_bio_never_ends(BIO *bio);
size_t COpenSSL_pending(BIO *bio);
void COpenSSL_refuse_renegotiation(SSL_CTX *context);
void COpenSSL_refuse_partial_wildcards(SSL *ssl);

/* Trusts one certificate by its SHA-256 (32 bytes, which outlive the context), and asks nothing else of it: neither who
   signed it, nor for whom, nor when. Any other ends the handshake with X509_V_ERR_APPLICATION_VERIFICATION. */
void COpenSSL_trust_only(SSL_CTX *context, const unsigned char *fingerprint);
/* Where the fingerprint of the certificate that the server shows is put (32 bytes), where one certificate is trusted. */
void COpenSSL_note_fingerprint(SSL *ssl, unsigned char *seen);

#endif
