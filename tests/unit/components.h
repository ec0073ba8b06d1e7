/* components.h - shipped components in a test: one registry of the build's plugins, instances by id
 * with settings written as JSON. */
#ifndef HONE_TESTS_COMPONENTS_H
#define HONE_TESTS_COMPONENTS_H
#include "support.h"

#include "host/registry.h"
#include "base/json.h"

/* Ends the test with a text, printf-like. */
#define fail_with(...) (print_error(__VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__))

static hone_registry *components_registry;

static inline hone_registry *shipped(void)
{
    if (!components_registry) {
        const char *paths[] = {hone_paths_plugins(), NULL};
        hone_registry_opts o = {.paths = paths, .only_paths = 1, .in_process = 1, .seed = 7};
        assert_ok(hone_registry_open(&o, &components_registry));
    }
    return components_registry;
}

/* Settings as JSON text, or NULL. The instance copies what it keeps. */
static inline hone_status try_component(const char *id, const char *json, hone_instance **out)
{
    hone_arena arena;
    hone_value settings = {0};
    hone_status s;
    hone_arena_init(&arena, 0);
    if (json)
        assert_ok(hone_json_parse(json, strlen(json), "settings", &arena, &settings));
    s = hone_instance_create(shipped(), NULL, id, json ? &settings : NULL, out);
    hone_arena_release(&arena);
    return s;
}

static inline hone_instance *open_component(const char *id, const char *json, const char *iface,
                                            hone_ref *ref)
{
    hone_instance *inst = NULL;
    assert_ok(try_component(id, json, &inst));
    assert_ok(hone_instance_ref(inst, iface, ref));
    return inst;
}
#endif
