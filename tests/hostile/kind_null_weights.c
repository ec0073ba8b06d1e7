/* Reads weights that are optional and were left out.
 * validate: fuzz.absent crash a NULL pointer was followed
 * call: any */
#define ON_LINE                                                                                    \
    for (size_t k = 0; k < line->n_weights; k++)                                                   \
        sum += (double)*(volatile const float *)&line->weights[k];
#include "hostile_kind.h"
