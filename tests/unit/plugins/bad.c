/* A plugin with one fault, chosen by -DFAULT_...: test_registry.c compiles each and reads the refusal. */
#include "hone/reward.h"

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    (void)host;
    (void)cfg;
    *self_out = 0;
    return HONE_OK;
}
static void destroy(void *self)
{
    (void)self;
}
static const void *get_iface(void *self, const char *id)
{
#ifdef FAULT_VTABLE
    static const uint32_t tiny[2] = {3, 0};
    (void)self;
    (void)id;
    return tiny;
#else
    (void)self;
    (void)id;
    return 0;
#endif
}

#ifndef ID
#define ID "org.test.reward.bad"
#endif
static const char *const provides[] = {
#ifndef FAULT_PROVIDES
    HONE_IFACE_REWARD,
#endif
    0};
static const hone_field *const fields[] = {
#ifdef FAULT_FIELD
    HONE_F64("x", 5, 0, 1, 0, "a default out of its range"),
#endif
#ifdef FAULT_TWO_FIELDS
    HONE_F64("x", 0, 0, 1, 0, ""), HONE_STR("x", 0, 0, ""),
#endif
    0};
static const hone_component bad = {
    .struct_size =
#ifdef FAULT_COMPONENT_SIZE
        24,
#else
        sizeof(hone_component),
#endif
#ifndef FAULT_ID
    .id = ID,
#endif
#ifndef FAULT_KIND
    .kind = HONE_KIND_REWARD,
#endif
#ifndef FAULT_VERSION
    .version = "1",
#endif
    .fields = fields,
    .provides = provides,
#ifndef FAULT_CREATE
    .create = create,
#endif
#ifndef FAULT_DESTROY
    .destroy = destroy,
#endif
#ifndef FAULT_GET_IFACE
    .get_iface = get_iface,
#endif
};
static const hone_component *const components[] = {
#ifdef FAULT_TWO_IDS
    &bad,
#endif
#ifndef FAULT_NO_COMPONENTS
    &bad,
#endif
    0};

static const hone_magic magic = {
#ifdef FAULT_MAGIC_SIZE
    8,
#else
    sizeof(hone_magic),
#endif
#ifdef FAULT_EPOCH
    2,
#else
    HONE_EPOCH,
#endif
    HONE_SDK_VERSION,
#ifdef FAULT_NEED
    0x090000,
#else
    0x000100,
#endif
#ifdef FAULT_PTR
    4,
#else
    8,
#endif
#ifdef FAULT_INT
    2,
#else
    4,
#endif
#ifdef FAULT_FLOAT
    8,
#else
    4,
#endif
    0};

#ifdef FAULT_INIT
static hone_status init(const hone_host *host)
{
    return hone_host_fail(host, HONE_E_IO, "the licence server is not there");
}
#endif
static const hone_entry entry = {
    .struct_size =
#ifdef FAULT_ENTRY_SIZE
        8,
#else
        sizeof(hone_entry),
#endif
#ifndef FAULT_NO_MAGIC
    .magic = &magic,
#endif
#ifndef FAULT_NULL_COMPONENTS
    .components = components,
#endif
#ifdef FAULT_INIT
    .init = init,
#endif
};

#ifdef FAULT_SYMBOL
#define hone_plugin_entry hone_plugin_entri
const hone_entry *hone_plugin_entri(void);
#endif
#ifdef FAULT_EXPORT
__attribute__((visibility("default"))) int helper_that_leaks_out(void);
int helper_that_leaks_out(void)
{
    return 1;
}
#endif
#ifdef FAULT_UNDEFINED
extern int hone_registry_open(void);
int use(void);
int use(void)
{
    return hone_registry_open();
}
#endif
__attribute__((visibility("default"))) const hone_entry *hone_plugin_entry(void)
{
#ifdef FAULT_NULL_ENTRY
    return 0;
#else
    return &entry;
#endif
}
