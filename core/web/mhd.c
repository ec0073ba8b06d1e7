/* mhd.c - see mhd.h. */
#include "web/mhd.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

hone__mhd_table hone__mhd;
static char failure[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void open_once(void)
{
    static const char *const names[] = {"libmicrohttpd.so.12", "libmicrohttpd.so", NULL};
    static const struct {
        const char *name;
        void *at; /* of the pointer in the table */
    } functions[] = {
#define HONE_X(name) {"MHD_" #name, &hone__mhd.name},
        HONE_MHD_FUNCTIONS(HONE_X)
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

hone_status hone__mhd_open(void)
{
    pthread_once(&once, open_once);
    if (failure[0]) {
        hone_fail(HONE_E_NOT_FOUND, "libmicrohttpd: %s", failure);
        return hone_fail_hint("it serves pages: Debian's libmicrohttpd12, Fedora's libmicrohttpd");
    }
    return HONE_OK;
}
