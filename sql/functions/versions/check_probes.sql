CREATE FUNCTION pgsim.check_probes(model text, texts text[], vectors vector[], kind text = 'document', tolerance float8 = 0.05) RETURNS float8
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m pgsim._model := pgsim._embedded_model(model);
    known text[];
    told text;
    farthest float8;
    beyond bigint;
BEGIN
    PERFORM pgsim._check_probes(m, texts, vectors, kind);
    IF tolerance IS NULL OR tolerance NOT BETWEEN 0 AND 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('tolerance is %s; it is a share of a vector''s length from 0 to 1', coalesce(tolerance::text, 'NULL')), HINT = 'The default is 0.05.';
    END IF;
    EXECUTE format(
        'SELECT array_agg(d.text), max(d.difference), count(*) FILTER (WHERE d.difference > $4), '
        '       string_agg(format(''%%L: %%s of its length'', left(d.text, 80), round(d.difference::numeric, 3)), E''\n'' ORDER BY d.difference DESC) FILTER (WHERE d.difference > $4) '
        'FROM (SELECT p.text, (p.vector OPERATOR(%1$s.<->) g.vector) / greatest(%1$s.vector_norm(p.vector), 1e-30) AS difference '
        '      FROM pgsim._probe AS p JOIN unnest($1, $2) AS g (text, vector) ON g.text = p.text WHERE p.model_id = $3 AND p.kind = $5) AS d', pgsim._vector_schema())
    INTO known, farthest, beyond, told USING texts, vectors, m.id, tolerance, kind;
    IF known IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('model %L has no %s probes of these texts', model, kind),
            HINT = 'Keep some with pgsim.set_probes; pgsim embed does it by itself when a model embeds its first rows.';
    END IF;
    IF beyond > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS044',
            MESSAGE = format('this is not model %L as it was: for %s of %s %s probes it gives other vectors', model, beyond, cardinality(known), kind),
            DETAIL = told,
            HINT = 'Another model or revision, or another prefix or instruction, made them. Register it under a name of its own with pgsim.create_model, and give it a version; or keep these vectors as the model''s with pgsim.set_probes.';
    END IF;
    RETURN farthest;
END
$$;
COMMENT ON FUNCTION pgsim.check_probes IS
$$Compares the vectors that an embedder gives for a model's probe texts with those kept, and refuses it where they differ: a model that was changed, a wrong prefix or instruction, another model of the same width.

Returns the greatest difference, as a share of the vector's length. tolerance: what may lie between two runs of one model; of 0.05 the cosine is
.99875. Half precision stays below .001. kind: document or query.
Errors: PS002, PS010, PS012, PS013, PS035, PS044.$$;
