CREATE FUNCTION pgsim.create_map(
    name text, from_model text, to_model text = NULL, kind text = 'linear', matrix vector[] = NULL, query_matrix vector[] = NULL, bias vector = NULL,
    normalized boolean = NULL, properties jsonb = '{}'
) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m pgsim._model;
    o pgsim._model;
    width int;
    off float8;
    keeps boolean := false;
BEGIN
    PERFORM pgsim._require_registrar();
    PERFORM pgsim._check_name('map', name);
    m := pgsim._model_row(from_model);
    IF m.element = 'sparsevec' OR m.map_id IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('model %L is %s, and maps begin at a dense model that is not', from_model, CASE WHEN m.map_id IS NULL THEN 'sparse' ELSE 'another one mapped' END),
            HINT = CASE WHEN m.map_id IS NULL THEN 'Name a dense model.' ELSE 'Put the two maps into one: pgsim.maps.Map.then in Python multiplies them.' END;
    END IF;
    IF kind IS NULL OR kind NOT IN ('rotation', 'pca', 'leanvec', 'whitening', 'selection', 'linear') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('kind is %s; known are rotation, pca, leanvec, whitening, selection and linear', coalesce(quote_literal(left(kind, 80)), 'NULL')),
            HINT = 'linear promises nothing, and takes every matrix.';
    END IF;
    IF properties IS NULL OR jsonb_typeof(properties) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'properties is not a JSON object', HINT = 'What was measured of the map goes there: properties => ''{"rows": 20000}''.';
    END IF;
    normalized := coalesce(normalized, m.metric = 'cosine');
    width := pgsim._map_components('matrix', matrix, m.dim);
    IF query_matrix IS NOT NULL AND pgsim._map_components('query_matrix', query_matrix, m.dim) <> width THEN
        RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('matrix has %s components and query_matrix %s', width, cardinality(query_matrix)), HINT = 'Rows and queries are compared in one space: give as many for both.';
    ELSIF query_matrix IS NOT NULL AND kind NOT IN ('leanvec', 'linear') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('query_matrix is given, and a map of kind %s maps rows and queries alike', kind), HINT = 'Leave it out; only leanvec and linear have one.';
    ELSIF query_matrix IS NOT NULL AND NOT (m.metric = 'ip' OR m.metric = 'cosine' AND normalized) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('query_matrix is given, and model %L is compared by %s%s', from_model, m.metric, CASE m.metric WHEN 'cosine' THEN ' and not normalized' ELSE '' END),
            HINT = 'Two matrices keep inner products: take a model under ip, or one under cosine, normalized.';
    ELSIF bias IS NOT NULL AND kind NOT IN ('whitening', 'linear') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('bias is given, and a map of kind %s has none', kind), HINT = 'Leave it out; only whitening and linear have one.';
    ELSIF bias IS NOT NULL AND pgsim._vector_problem(bias, width, 'ip') IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('bias %s, and matrix has %s components', pgsim._vector_problem(bias, width, 'ip'), width), HINT = 'It is added to what comes out: give one number for each.';
    END IF;
    IF to_model IS NOT NULL THEN
        o := pgsim._model_row(to_model);
        IF o.dim <> width OR o.element = 'sparsevec' OR o.id = m.id THEN
            RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('matrix has %s components; model %L %s', width, to_model, CASE WHEN o.id = m.id THEN 'is the one it maps from' ELSE format('has %s dimensions, %s', o.dim, CASE o.element WHEN 'sparsevec' THEN 'sparse' ELSE 'dense' END) END),
                HINT = 'Leave to_model out where the space is new: pgsim.derive_model makes its model.';
        END IF;
    END IF;
    IF kind IN ('rotation', 'pca', 'selection') OR kind = 'leanvec' AND query_matrix IS NULL THEN
        BEGIN
            off := pgsim._identity_error(matrix, matrix);
        EXCEPTION WHEN numeric_value_out_of_range THEN
            off := NULL;
        END;
        IF off IS NULL OR off > 1e-4 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('the components of matrix are not of length 1 and at right angles: they are off by %s, and a map of kind %s promises 0.0001', coalesce(off::real::text, 'more than can be told'), kind),
                HINT = 'Orthogonalise them (a QR decomposition does), or store the map as linear, which promises nothing.';
        END IF;
        IF kind = 'rotation' AND width <> m.dim THEN
            RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('matrix has %s components, and a rotation of model %L has %s', width, from_model, m.dim), HINT = 'A map that leaves dimensions out is of kind pca or selection.';
        END IF;
        keeps := width = m.dim AND m.metric <> 'l1';
    ELSIF query_matrix IS NOT NULL AND width = m.dim THEN
        BEGIN
            off := pgsim._identity_error(query_matrix, matrix);
        EXCEPTION WHEN numeric_value_out_of_range THEN
            off := NULL;
        END;
        IF kind = 'leanvec' AND (off IS NULL OR off > 1e-3) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('matrix and query_matrix do not keep inner products: they are off by %s, and leanvec promises 0.001', coalesce(off::real::text, 'more than can be told')),
                HINT = 'The transposed query_matrix is the inverse of matrix; more ridge makes both easier on single precision. Or store the map as linear, which promises nothing.';
        END IF;
        keeps := bias IS NULL AND coalesce(off <= 1e-3, false);
    END IF;
    BEGIN
        INSERT INTO pgsim._map (name, from_model_id, to_model_id, kind, dim_in, dim_out, normalized, keeps_scores, components, query_components, bias, properties)
        VALUES (create_map.name, m.id, o.id, create_map.kind, m.dim, width, create_map.normalized, keeps, matrix, query_matrix, create_map.bias, create_map.properties);
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('map %L exists already', name), HINT = 'A map never changes: store another fit under another name.';
    END;
    RETURN name;
END
$$;
COMMENT ON FUNCTION pgsim.create_map IS
$$Stores a map of a model's space, which never changes from then on, and returns its name.

matrix: its rows, each as wide as from_model; the i-th number of a mapped vector is its inner product with the i-th of them.
query_matrix: other ones for queries. bias: added to what comes out. normalized: a vector is brought to length 1 first (default under
cosine). kind says what is promised, and checked: rotation (square; components of length 1 at right angles), pca (such components, all or fewer),
selection (likewise), leanvec (likewise, or with query_matrix, and inner products kept where it is square), whitening, linear (nothing).
to_model: the model whose space it leads to; NULL where the space is new, and pgsim.derive_model makes a model of it. properties: what was
measured. Everybody may read a map: it holds statistics of the rows that it was fitted on. Errors: PS002, PS010, PS011, PS020, PS032, PS055.$$;
