#define OPENSSL_SUPPRESS_DEPRECATED
#include "COpenSSL.h"

#include <stdbool.h>
#include <string.h>

void COpenSSL_sha256_init(SHA256_CTX *context) { SHA256_Init(context); }

void COpenSSL_sha256_update(SHA256_CTX *context, const void *bytes, size_t count) {
    SHA256_Update(context, bytes, count);
}

void COpenSSL_sha256_final(SHA256_CTX *context, unsigned char *out) { SHA256_Final(out, context); }

int COpenSSL_set_server_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}

int COpenSSL_require_tls12(SSL_CTX *context) {
    return (int)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

void COpenSSL_allow_moving_writes(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_RELEASE_BUFFERS);
}

void COpenSSL_memory_bio_never_ends(BIO *bio) { BIO_set_mem_eof_return(bio, -1); }

size_t COpenSSL_pending(BIO *bio) { return BIO_ctrl_pending(bio); }

void COpenSSL_refuse_renegotiation(SSL_CTX *context) { SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION); }

void COpenSSL_refuse_partial_wildcards(SSL *ssl) { SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS); }

static int check_fingerprint(X509_STORE_CTX *store, void *wanted) {
    unsigned char seen[EVP_MAX_MD_SIZE];
    unsigned count = 0;
    X509 *certificate = X509_STORE_CTX_get0_cert(store);
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    bool is_known = certificate && X509_digest(certificate, EVP_sha256(), seen, &count) == 1
        && count == SHA256_DIGEST_LENGTH;
    if (is_known && ssl && SSL_get_app_data(ssl)) memcpy(SSL_get_app_data(ssl), seen, SHA256_DIGEST_LENGTH);
    bool is_right = is_known && memcmp(seen, wanted, SHA256_DIGEST_LENGTH) == 0;
    X509_STORE_CTX_set_error(store, is_right ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
    return is_right;
}

void COpenSSL_trust_only(SSL_CTX *context, const unsigned char *fingerprint) {
    SSL_CTX_set_cert_verify_callback(context, check_fingerprint, (void *)fingerprint);
}

void COpenSSL_note_fingerprint(SSL *ssl, unsigned char *seen) { SSL_set_app_data(ssl, seen); }
