/* adbc.h - Arrow Database Connectivity as drivers offer it: the structs of revision 1.0.0 of its C interface.
 *
 * Written from the public specification (arrow.apache.org/adbc/current/format/specification.html); layouts and order of
 * the function table are fixed by it for good. Functions that hone does not call are `void (*)(void)`: the place counts.
 * Ownership: who made a database, connection or statement releases it; an error's text is released by its own function. */
#ifndef HONE_CORE_CLI_ADBC_H
#define HONE_CORE_CLI_ADBC_H
#include "hone/arrow.h"

#define HONE_ADBC_1_0_0 1000000
enum {
    HONE_ADBC_UNKNOWN = 1,
    HONE_ADBC_INTERNAL = 9,
    HONE_ADBC_IO = 10,
    HONE_ADBC_CANCELLED = 11,
    HONE_ADBC_TIMEOUT = 12
};

typedef struct hone_adbc_error {
    char *message;
    int32_t vendor_code;
    char sqlstate[5];
    void (*release)(struct hone_adbc_error *error);
} hone_adbc_error;

typedef struct hone_adbc_object { /* database, connection, statement: one layout */
    void *private_data;
    struct hone_adbc_driver *private_driver;
} hone_adbc_object;

typedef uint8_t hone_adbc_status; /* 0: ok */
typedef hone_adbc_status (*hone_adbc_fn)(hone_adbc_object *o, hone_adbc_error *error);
typedef hone_adbc_status (*hone_adbc_option_fn)(hone_adbc_object *o, const char *key,
                                                const char *value, hone_adbc_error *error);
typedef hone_adbc_status (*hone_adbc_child_fn)(hone_adbc_object *o, hone_adbc_object *parent,
                                               hone_adbc_error *error);

typedef struct hone_adbc_driver {
    void *private_data, *private_manager;
    hone_adbc_status (*release)(struct hone_adbc_driver *driver, hone_adbc_error *error);
    hone_adbc_fn database_init, database_new;
    hone_adbc_option_fn database_set_option;
    hone_adbc_fn database_release;
    void (*connection_commit)(void), (*connection_get_info)(void), (*connection_get_objects)(void),
        (*connection_get_table_schema)(void), (*connection_get_table_types)(void);
    hone_adbc_child_fn connection_init;
    hone_adbc_fn connection_new;
    hone_adbc_option_fn connection_set_option;
    void (*connection_read_partition)(void);
    hone_adbc_fn connection_release;
    void (*connection_rollback)(void), (*statement_bind)(void), (*statement_bind_stream)(void);
    hone_adbc_status (*statement_execute_query)(hone_adbc_object *statement,
                                                struct ArrowArrayStream *out,
                                                int64_t *rows_affected, hone_adbc_error *error);
    void (*statement_execute_partitions)(void), (*statement_get_parameter_schema)(void);
    hone_adbc_status (*statement_new)(hone_adbc_object *connection, hone_adbc_object *statement,
                                      hone_adbc_error *error);
    hone_adbc_fn statement_prepare, statement_release;
    hone_adbc_option_fn statement_set_option;
    hone_adbc_status (*statement_set_sql_query)(hone_adbc_object *statement, const char *sql,
                                                hone_adbc_error *error);
    void (*statement_set_substrait_plan)(void);
} hone_adbc_driver;

typedef hone_adbc_status (*hone_adbc_init_fn)(int version, void *driver, hone_adbc_error *error);
#endif
