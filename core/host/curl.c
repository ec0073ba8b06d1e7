/* curl.c - see curl.h. */
#include "host/curl.h"

#include "base/library.h"

#include <pthread.h>

hone__curl_table hone__curl;
static char failure[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void open_once(void)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.so", NULL};
    static const hone_library_function functions[] = {
#define HONE_X(name) {"curl_" #name, &hone__curl.name},
        HONE_CURL_FUNCTIONS(HONE_X)
#undef HONE_X
    };
    (void)hone_library_open(names, functions, sizeof functions / sizeof *functions, failure);
}

hone_status hone__curl_open(void)
{
    pthread_once(&once, open_once);
    if (failure[0]) {
        hone_fail(HONE_E_NOT_FOUND, "libcurl: %s", failure);
        return hone_fail_hint("it makes requests: Debian's libcurl4, Fedora's libcurl");
    }
    return HONE_OK;
}
