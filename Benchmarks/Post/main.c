// The bare loop that webhook deliveries are measured against: libcurl's multi interface and nothing else.
//
//     crowbar-bench-post URL CONNECTIONS < BODIES
//
// Posts each line of the input to the URL, over so many connections, unsigned and in no order, and prints the seconds
// that took. An answer other than 2xx ends it.
#define _GNU_SOURCE
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char *bodies;
static size_t size, at;

static size_t drop(char *data, size_t unit, size_t count, void *context) {
    (void)data, (void)context;
    return unit * count;
}

static void read_all(void) {
    size_t capacity = 1 << 24;
    bodies = malloc(capacity);
    for (size_t count; bodies && (count = fread(bodies + size, 1, capacity - size, stdin)) > 0;) {
        size += count;
        if (size == capacity) bodies = realloc(bodies, capacity *= 2);
    }
    if (!bodies) exit(1);
}

// Sets the next line as the handle's body; false: there is none left.
static int load(CURL *easy) {
    if (at >= size) return 0;
    char *end = memchr(bodies + at, '\n', size - at);
    size_t length = end ? (size_t)(end - (bodies + at)) : size - at;
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, bodies + at);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    at += length + 1;
    return 1;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int count, char **arguments) {
    if (count != 3) {
        fputs("usage: crowbar-bench-post URL CONNECTIONS < BODIES\n", stderr);
        return 64;
    }
    read_all();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *multi = curl_multi_init();
    struct curl_slist *headers = curl_slist_append(NULL, "content-type: application/json");
    headers = curl_slist_append(headers, "expect:");
    double begin = seconds();
    int running = 0;
    for (int i = atoi(arguments[2]); i > 0; i--) {
        CURL *easy = curl_easy_init();
        curl_easy_setopt(easy, CURLOPT_URL, arguments[1]);
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
        if (load(easy)) curl_multi_add_handle(multi, easy);
    }
    do {
        curl_multi_perform(multi, &running);
        CURLMsg *message;
        int left, again = 0;
        while ((message = curl_multi_info_read(multi, &left)) != NULL) {
            CURL *easy = message->easy_handle;
            CURLcode code = message->data.result;
            long status = 0;
            curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
            if (code != CURLE_OK || status / 100 != 2) {
                fprintf(stderr, "crowbar-bench-post: %s, status %ld\n", curl_easy_strerror(code), status);
                return 1;
            }
            curl_multi_remove_handle(multi, easy);
            if (load(easy)) {
                curl_multi_add_handle(multi, easy);
                again = 1;
            }
        }
        if (again) running = 1;
        else if (running) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    } while (running);
    printf("%f\n", seconds() - begin);
    return 0;
}
