/* library.c - see library.h. */
#include "base/library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int hone_library_open(const char *const *names, const hone_library_function *functions, size_t n,
                      char why[256])
{
    void *lib = NULL;
    for (size_t i = 0; names[i] && !lib; i++)
        lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!lib) {
        snprintf(why, 256, "%s", dlerror());
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        void *f = dlsym(lib, functions[i].name);
        if (!f) {
            snprintf(why, 256, "it has no %s", functions[i].name);
            return -1;
        }
        memcpy(functions[i].at, &f, sizeof f);
    }
    return 0;
}
