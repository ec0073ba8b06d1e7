/* curl.c - see curl.h. */
#include "host/curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

hone__curl_table hone__curl;
static char failure[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void open_once(void)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.so", NULL};
    static const struct {
        const char *name;
        void *at; /* of the pointer in the table */
    } functions[] = {
#define HONE_X(name) {"curl_" #name, &hone__curl.name},
        HONE_CURL_FUNCTIONS(HONE_X)
#undef HONE_X
    };
    void *lib = NULL;
    for (size_t i = 0; names[i] && !lib; i++)
        lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!lib) {
        snprintf(failure, sizeof failure, "%s", dlerror());
        return;
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions && !failure[0]; i++) {
        void *f = dlsym(lib, functions[i].name);
        if (f)
            memcpy(functions[i].at, &f, sizeof f);
        else
            snprintf(failure, sizeof failure, "it has no %s", functions[i].name);
    }
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
