/* Fails in the middle with an errno and no text.
 * validate: instance.call fail get_next failed
 * data: refuses get_next */
#define LAST_ERROR NULL
#define ON_NEXT                                                                                    \
    if (my->at == 20)                                                                              \
        return EIO;
#include "hostile_source.h"
