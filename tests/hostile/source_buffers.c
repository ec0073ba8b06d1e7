/* A batch that is something else than its schema says, from the second batch on.
 * validate: instance.call fail 2 buffers
 * data: refuses 2 buffers */
#define ON_BATCH                                                                                   \
    if (my->at > BATCH)                                                                            \
        b->column[1].n_buffers = 2;
#include "hostile_source.h"
