/* fuzz_json_schema.c - any JSON is a schema or is refused with its reason, and any value keeps to it or not, the same each time: two
 * texts of JSON, a line each. */
#include "../../plugins/reward/rewards/json_schema.c"

#include "base/json.h"
#include "host/registry_private.h"

static void *resize(void *self, void *p, size_t old_size, size_t size)
{
    (void)self;
    (void)old_size;
    if (!size) {
        free(p);
        return NULL;
    }
    return realloc(p, size);
}

static int reasons;
static hone_status get_iface(const hone_host *host, const char *id, hone_ref *out)
{
    (void)host;
    if (strcmp(id, HONE_IFACE_REGEX) != 0)
        abort();
    *out = (hone_ref){NULL, &hone__regex_v1};
    return HONE_OK;
}

static hone_status failed(const hone_host *host, hone_status s, hone_str text)
{
    (void)host;
    reasons += text.len > 0;
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const hone_mem_v1 mem = {sizeof mem, 0, resize};
    const hone_host host = {.struct_size = sizeof host, .get_iface = get_iface, .fail = failed};
    const uint8_t *line = n ? memchr(data, '\n', n) : NULL;
    hone_arena arena;
    hone_value schema, value;
    json_schema s;
    char why[200];
    if (!line)
        return 0;
    const size_t cut = (size_t)(line - data);
    hone_arena_init(&arena, 0);
    if (hone_json_parse((const char *)data, cut, "schema", &arena, &schema) >= 0 &&
        hone_json_parse((const char *)line + 1, n - cut - 1, "value", &arena, &value) >= 0) {
        reasons = 0;
        const uint64_t before = hone_error_serial();
        const hone_status st = schema_open(&host, (hone_ref){NULL, &mem}, &schema, &s);
        if (st < 0 && !reasons && hone_error_serial() == before)
            abort();
        if (st >= 0) {
            const int held = schema_holds(&s, &value, why, sizeof why);
            if (held != schema_holds(&s, &value, why, sizeof why) || (held != 1 && !why[0]))
                abort();
            schema_close(&s);
        }
    }
    hone_arena_release(&arena);
    return 0;
}
