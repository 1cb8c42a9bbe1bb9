CREATE FUNCTION pgsim._edit_distance(one text, other text, most int) RETURNS int
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    n int := length(one);
    m int := length(other);
    a text[] := string_to_array(one, NULL);
    b text[] := string_to_array(other, NULL);
    beyond int := most + 1;
    before_last int[];
    last int[];
    this int[];
    least_here int;
    cost int;
BEGIN
    IF abs(n - m) > most THEN
        RETURN beyond;
    END IF;
    last := ARRAY(SELECT j FROM generate_series(0, m) AS j);
    FOR i IN 1 .. n LOOP
        -- Places farther than most from the diagonal stay beyond.
        this := array_fill(beyond, ARRAY[m + 1]);
        this[1] := i;
        least_here := i;
        FOR j IN greatest(1, i - most) .. least(m, i + most) LOOP
            cost := least(last[j] + CASE WHEN a[i] = b[j] THEN 0 ELSE 1 END, last[j + 1] + 1, this[j] + 1);
            IF i > 1 AND j > 1 AND a[i] = b[j - 1] AND a[i - 1] = b[j] THEN
                cost := least(cost, before_last[j - 1] + 1);
            END IF;
            this[j + 1] := cost;
            least_here := least(least_here, cost);
        END LOOP;
        before_last := last;
        last := this;
        IF least_here > most THEN
            RETURN beyond;
        END IF;
    END LOOP;
    RETURN least(last[m + 1], beyond);
END
$$;
COMMENT ON FUNCTION pgsim._edit_distance IS
    'How many letters must be put in, taken out, replaced, or swapped with their neighbour to make one word of the other (optimal string alignment); most + 1 where it is more than that.';
