#include "CCurl.h"

#include <curl/curl.h>
#include <string.h>

static bool part(CURLU *url, CURLUPart which, char *buffer, size_t size, unsigned flags) {
    char *text = NULL;
    if (curl_url_get(url, which, &text, flags) != CURLUE_OK) return false;
    bool fits = strlen(text) < size;
    if (fits) strcpy(buffer, text);
    curl_free(text);
    return fits;
}

static bool has(CURLU *url, CURLUPart which) {
    char *text = NULL;
    bool found = curl_url_get(url, which, &text, 0) == CURLUE_OK;
    curl_free(text);
    return found;
}

bool ccurl_url_read(const char *text, ccurl_url *read) {
    CURLU *url = curl_url();
    if (!url) return false;
    bool ok = curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK
        && part(url, CURLUPART_SCHEME, read->scheme, sizeof read->scheme, 0)
        && part(url, CURLUPART_HOST, read->host, sizeof read->host, 0)
        && (part(url, CURLUPART_PORT, read->port, sizeof read->port, CURLU_DEFAULT_PORT) || (read->port[0] = 0, true));
    read->has_credentials = has(url, CURLUPART_USER) || has(url, CURLUPART_PASSWORD);
    curl_url_cleanup(url);
    return ok;
}
