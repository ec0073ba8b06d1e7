/* mhd.c - see mhd.h. */
#include "web/mhd.h"

#include "base/library.h"

#include <pthread.h>

hone__mhd_table hone__mhd;
static char failure[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void open_once(void)
{
    static const char *const names[] = {"libmicrohttpd.so.12", "libmicrohttpd.so", NULL};
    static const hone_library_function functions[] = {
#define HONE_X(name) {"MHD_" #name, &hone__mhd.name},
        HONE_MHD_FUNCTIONS(HONE_X)
#undef HONE_X
    };
    (void)hone_library_open(names, functions, sizeof functions / sizeof *functions, failure);
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
