/* trace.c - see trace.h. The table goes to stderr: stdout is for results, --json among them. */
#include "cli/trace.h"

#include "base/trace.h"

#include <stdio.h>

hone_status hone_cli_trace_open(const char *path)
{
    return path ? hone_trace_open(path, 0) : HONE_OK;
}

void hone_cli_trace_start(void)
{
    hone_trace_record(1);
}

void hone_cli_trace_stop(void)
{
    hone_trace_record(0);
}

hone_status hone_cli_trace_close(const char *path, hone_status s)
{
    const hone_error e = *hone_error_get();
    hone_buf table;
    if (!path)
        return s;
    hone_buf_init(&table, 1 << 20);
    const hone_status written = hone_trace_close(&table);
    if (written >= 0 && table.len)
        fprintf(stderr, "%strace %s\n", table.ptr, path);
    hone_buf_release(&table);
    return s < 0 ? hone_error_set(&e) : written < 0 ? written : s;
}
