/* library.h - a library opened when it is first needed, its functions looked up by name.
 *
 * For libraries that bring many others, which every start would load for what most starts never do. */
#ifndef HONE_CORE_BASE_LIBRARY_H
#define HONE_CORE_BASE_LIBRARY_H
#include <stddef.h>

typedef struct hone_library_function {
    const char *name;
    void *at; /* of the function pointer that is filled in */
} hone_library_function;

/* Opens the first of `names` (NULL-terminated) that there is and fills in all n functions; it is never closed. 0, or -1 with
 * the reason in `why`: then some pointers may be filled. The caller sees to it that this happens once. [any-thread] */
int hone_library_open(const char *const *names, const hone_library_function *functions, size_t n,
                      char why[256]);
#endif
