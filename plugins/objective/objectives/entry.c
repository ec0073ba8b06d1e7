/* entry.c - the one symbol of objectives.so: all components of all families, and the magic block. */
#include "objectives.h"

enum { MAX_COMPONENTS = 96 };

/* The tables are constant, but their lengths are known to their own files only: joined at load, once,
 * by the constructor, before anybody can ask. */
static const hone_component *components[MAX_COMPONENTS + 1];

static void join(const hone_component *const *rows, size_t *n)
{
    for (; *rows && *n < MAX_COMPONENTS; rows++)
        components[(*n)++] = *rows;
}

__attribute__((constructor)) static void join_tables(void)
{
    size_t n = 0;
    join(policy_components, &n);
    join(preference_components, &n);
    join(supervised_components, &n);
    join(distill_components, &n);
    join(value_components, &n);
    join(advantage_components, &n);
}

static const hone_magic magic = HONE_MAGIC(HONE_SDK_VERSION);
static const hone_entry entry = {sizeof(hone_entry), 0, &magic, components, NULL, NULL, NULL};

const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
