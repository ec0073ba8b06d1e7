/* mhd.h - libmicrohttpd, opened when a server is started.
 *
 * It brings a TLS library and what that needs: a dozen files, which every start of hone would load to serve pages that most
 * never ask for. So its functions are looked up by name; the header says what they are. */
#ifndef HONE_CORE_WEB_MHD_H
#define HONE_CORE_WEB_MHD_H
#include "base/error.h"

#include <microhttpd.h>

/* clang-format off */
#define HONE_MHD_FUNCTIONS(X) \
    X(start_daemon) X(stop_daemon) X(quiesce_daemon) X(get_daemon_info) X(get_connection_info) \
    X(lookup_connection_value) X(queue_response) X(create_response_from_buffer) \
    X(create_response_from_buffer_with_free_callback) X(add_response_header) X(destroy_response)
/* clang-format on */

typedef struct hone__mhd_table {
#define HONE_X(name) __typeof__(&MHD_##name) name;
    HONE_MHD_FUNCTIONS(HONE_X)
#undef HONE_X
} hone__mhd_table;
extern hone__mhd_table hone__mhd; /* good once hone__mhd_open succeeded */

/* Opened once, never closed. E_NOT_FOUND: it is not installed, or too old. [any-thread] */
hone_status hone__mhd_open(void);
#endif
