/* curl.h - libcurl, opened when the first plugin asks for hone.http/1.
 *
 * It brings OpenSSL, Kerberos, LDAP and more, some thirty files, which every start of hone and of a box would load for requests
 * that most never make. So its functions are looked up by name; the header says what they are. */
#ifndef HONE_CORE_HOST_CURL_H
#define HONE_CORE_HOST_CURL_H
#include "base/error.h"

#include <curl/curl.h>

/* clang-format off */
#define HONE_CURL_FUNCTIONS(X) \
    X(easy_cleanup) X(easy_getinfo) X(easy_init) X(easy_reset) X(easy_setopt) X(easy_strerror) X(free) \
    X(global_cleanup) X(global_init) X(multi_add_handle) X(multi_cleanup) X(multi_info_read) X(multi_init) \
    X(multi_perform) X(multi_poll) X(multi_remove_handle) X(multi_wakeup) X(slist_append) X(slist_free_all) \
    X(url) X(url_cleanup) X(url_get) X(url_set)
/* clang-format on */

typedef struct hone__curl_table {
#define HONE_X(name) __typeof__(&curl_##name) name;
    HONE_CURL_FUNCTIONS(HONE_X)
#undef HONE_X
} hone__curl_table;
extern hone__curl_table hone__curl; /* good once hone__curl_open succeeded */

/* Opened once, never closed. E_NOT_FOUND: it is not installed, or too old. [any-thread] */
hone_status hone__curl_open(void);
#endif
