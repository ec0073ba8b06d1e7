/* fuzz_http_date.c - any bytes as Retry-After and Date: they are refused, or the pause is one. */
#include "host/http_policy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = size ? memchr(data, '\n', size) : NULL;
    const hone_str value = {(const char *)data, cut ? (size_t)(cut - data) : size};
    const hone_str date = {cut ? (const char *)cut + 1 : "", cut ? size - value.len - 1 : 0};
    uint64_t ms = 77;
    int64_t s = 77;
    const int ok = hone__http_retry_after(value, date, 1700000000, &ms);
    if (ok ? ms > UINT64_C(1000000000000) : ms != 77)
        abort();
    if (hone__http_date(date, 1700000000, &s) ? s < -2208988800 || s > 253402300860 : s != 77)
        abort();
    return 0;
}
