/* hostile_common.h - the component and the entry around a table; see hostile_judge.h and its like, which define KIND, IFACE
 * and TABLE_OF. */
#ifndef ON_CREATE
#define ON_CREATE
#endif
static hone_status create(const hone_host *host, const hone_config *cfg, void **self)
{
    (void)cfg;
    the_host = host;
    ON_CREATE
    *self = malloc(1);
    return *self ? HONE_OK : hone_host_fail(host, HONE_E_NOMEM, "out of memory");
}
static void destroy(void *self)
{
    free(self);
}
static const void *get_iface(void *self, const char *id)
{
    (void)self;
    return strcmp(id, IFACE) == 0 ? TABLE_OF : NULL;
}
static const char *const provides[] = {IFACE, NULL};
static const hone_component component = {.struct_size = sizeof(hone_component),
                                         .id = "org.hostile." KIND ".it",
                                         .kind = KIND,
                                         .version = "1.0.0",
                                         .caps = HONE_CAP_DETERMINISTIC,
                                         .provides = provides,
                                         .create = create,
                                         .destroy = destroy,
                                         .get_iface = get_iface};
static const hone_component *const components[] = {&component, NULL};
static const hone_magic magic = HONE_MAGIC(0x000100);
static const hone_entry entry = {
    .struct_size = sizeof(hone_entry), .magic = &magic, .components = components};

const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
