#define OPENSSL_SUPPRESS_DEPRECATED
#include "COpenSSL.h"

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
