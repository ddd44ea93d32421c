use super::*;

fn points() -> Points {
    Points::new(
        3,
        vec![0.1, -2.5e-300, 1e300, std::f64::consts::PI, 5.0, -0.0, f64::MIN_POSITIVE, f64::MAX, 1.0 / 3.0],
    )
}

/// An NPY file by hand.
fn npy(version: u8, header: &str, body: &[u8]) -> Vec<u8> {
    let length = (header.len() as u32).to_le_bytes();
    [
        npy_file::MAGIC,
        &[version, 0],
        if version == 1 { &length[..2] } else { &length },
        header.as_bytes(),
        body,
    ]
    .concat()
}

fn header(descr: &str, order: &str, shape: &str) -> String {
    format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n")
}

#[test]
fn points_come_back_bit_by_bit() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.csv", "a.npy", "B.CSV", "B.NPY"] {
        let path = dir.path().join(name);
        std::fs::write(&path, "older").unwrap();
        write_points(&path, &points(), None).unwrap();
        let back = read_points(&path).unwrap();
        assert_eq!(back.dim(), 3);
        let bits = |p: &Points| p.values().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(&points()), "{name}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 4, "no temporary file stays");
}

#[test]
fn files_are_laid_out_as_documented() {
    let dir = tempfile::tempdir().unwrap();
    let two = Points::new(2, vec![0.5, -1.0, 1e-7, 3.0]);
    let csv = dir.path().join("a.csv");
    write_points(&csv, &two, None).unwrap();
    assert_eq!(std::fs::read_to_string(&csv).unwrap(), "x0,x1\n0.5,-1.0\n1e-7,3.0\n");
    write_points(&csv, &two, Some(&["a, b".to_owned(), "c".to_owned()])).unwrap();
    assert!(std::fs::read_to_string(&csv).unwrap().starts_with("\"a, b\",c\n0.5,"));
    assert_eq!(read_points(&csv).unwrap(), two);
    let path = dir.path().join("a.npy");
    for (float, descr, size) in [(Float::F64, "<f8", 8), (Float::F32, "<f4", 4)] {
        write_points_as(&path, &two, None, float).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes[..10], *b"\x93NUMPY\x01\x00\x76\x00");
        let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (2, 2), }}");
        assert_eq!(std::str::from_utf8(&bytes[10..128]).unwrap(), format!("{text:<117}\n"));
        assert_eq!(bytes.len(), 128 + 4 * size);
    }
    let single = Points::new(2, two.values().iter().map(|v| f64::from(*v as f32)).collect());
    assert_eq!(read_points(&path).unwrap(), single);
    assert_ne!(single, two);
}

#[test]
fn what_cannot_be_written_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let names = |n: &[&str]| Some(n.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
    for (name, columns, float, part) in [
        ("a.txt", None, Float::F64, "the name must end in .csv or .npy"),
        ("csv", None, Float::F64, "the name must end in .csv or .npy"),
        ("no/such/a.csv", None, Float::F64, "the file cannot be written (No such file"),
        ("a.csv", names(&["x", "y"]), Float::F64, "2 column names were given for points of 3 coordinates"),
        ("a.csv", names(&["x", "1", "z"]), Float::F64, "`1` cannot be the name of a column"),
        ("a.csv", names(&["x", "y", " "]), Float::F64, "` ` cannot be the name of a column"),
        ("a.npy", None, Float::F32, "1e300 at [0, 2] is too large for float32"),
    ] {
        let path = dir.path().join(name);
        let error = write_points_as(&path, &points(), columns.as_deref(), float).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: {part}", path.display())), "{error}");
        assert_eq!(check_suffix(&path).is_err(), part.starts_with("the name"));
    }
    // A folder in the way: the temporary file is removed again.
    std::fs::create_dir(dir.path().join("in-the-way.npy")).unwrap();
    assert!(write_points(&dir.path().join("in-the-way.npy"), &points(), None).is_err());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn files_that_are_missing_or_of_another_kind_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (name, part) in [
        ("a.csv", "the file cannot be read (No such"),
        ("a.npy", "the file cannot be read"),
        ("a.npz", "the name must"),
    ] {
        let path = dir.path().join(name);
        assert!(
            read_points(&path).unwrap_err().to_string().starts_with(&format!("{}: {part}", path.display()))
        );
    }
}

#[test]
fn headers_are_optional() {
    let want = Points::new(2, vec![1.0, 2.0, 3.0, -0.04]);
    for text in [
        "x,y\n1,2\n3,-4e-2\n",
        "1,2\n3,-.04",
        " 1 , 2 \r\n3,\t-4E-2\r\n",
        "\"a\",\"b\"\n1,\"2\"\n\n\n3,-0.04\n",
        "\u{feff}1,2\n3,-0.04",
        "\n\n1,2\n3,-0.04\n\n",
    ] {
        assert_eq!(csv_file::parse(text.as_bytes(), None).unwrap().0, want, "{text:?}");
    }
    assert_eq!(
        csv_file::parse(b"z\n1\n2\n", None).unwrap(),
        (Points::new(1, vec![1.0, 2.0]), Some(vec!["z".to_owned()]))
    );
}

/// What pandas writes for columns without names is a header where it cannot be a point among others, and what the user says decides.
#[test]
fn counted_columns_are_names() {
    let plane = |text: &str, header| {
        let (points, names) = csv_file::parse(text.as_bytes(), header).unwrap();
        (points.len(), names.is_some(), numbered(names.as_deref()).is_some())
    };
    let (named, plain) = ((2, true, true), (3, false, false));
    for (text, want) in [
        ("0,1\n0.5,1.5\n2.0,3.0\n", named),
        ("\"0\",\"1\"\n0.5,1.5\n2,3\n", named),
        ("0,1\n-5,1\n2,3\n", named),
        ("0,1,2\n5,1,1\n2,3,4\n", named),
        ("0\n0.5\n2\n", named),
        ("0,1\n5,1\n2,3\n", plain),
        ("0\n5\n2\n", plain),
        ("0.0,1.0\n0.5,1\n2,3\n", plain),
        ("1,2\n0.5,1\n2,3\n", plain),
        ("0,1,2\n3,4,5\n6,7,8\n", plain),
        ("0,1,2\n3,4,6\n6,7,8\n", named),
        ("0,1\n", (1, false, false)),
        ("0,1,2\n", (1, false, false)),
    ] {
        assert_eq!(plane(text, None), want, "{text:?}");
    }
    assert_eq!(plane("0,1\n0.5,1.5\n2.0,3.0\n", Some(false)), plain);
    assert_eq!(plane("0,1\n5,1\n2,3\n", Some(true)), named);
    assert_eq!(plane("4,1\n5,1\n2,3\n", Some(true)), (2, true, false));
    assert!(csv_file::parse(b"x,y\n1,2\n", Some(false)).unwrap_err().contains("`x` is not a number"));
}

#[test]
fn bad_csv_is_refused_with_its_place() {
    for (text, want) in [
        ("", "the file is empty; write one"),
        ("\n\n", "the file is empty"),
        ("x,y\n", "there is a header, but no points follow it"),
        ("1,2\n3\n", "line 2 has 1 cells, but line 1 has 2; every row"),
        ("x,y\n\n1,2,3\n", "line 3 has 3 cells, but line 1 has 2"),
        ("1,2\n3,abc\n", "line 2, column 2: `abc` is not a number; cells are numbers"),
        ("x,y\nz,w\n", "line 2, column 1: `z` is not a number; cells"),
        ("1,b\n3,4\n", "line 1, column 2: `b` is not a number, though others in this line are; a header"),
        ("1,2\r\n\r\n3,NaN\n", "line 3, column 2: `NaN` is not finite"),
        ("-inf,1\n", "line 1, column 1: `-inf` is not finite"),
        ("1,1e999\n", "line 1, column 2: `1e999` is not finite"),
        ("1,\n", "line 1, column 2: `` is not a number"),
        (
            "x;y\n1;2\n",
            "line 2, column 1: `1;2` is not a number; cells are numbers such as -1.5e-3, separated by commas",
        ),
        (
            "a;b\n1,5;2,5\n",
            "line 2: `1,5` has a decimal comma, and `;` stands between cells; write decimal points",
        ),
        ("-1,5;\"2\"\n", "line 1: `-1,5` has a decimal comma, and `;`"),
        ("\"1,5\",\"-2,5\"\n", "line 1, column 1: `1,5` has a decimal comma; write decimal points"),
        ("1,2\n3,\"-2,5\"\n", "line 2, column 2: `-2,5` has a decimal comma"),
        (
            "1,52,2,50\n0,31,4,07\n",
            "line 2: `4,07` reads as two whole numbers here, as every pair does: a decimal",
        ),
        ("1,5,2,5\n-0,5,3,1\n", "line 2: `-0,5` reads as two whole numbers"),
        (
            "x,y\n1,52,2,50\n",
            "line 2 has 4 cells, but line 1 has 2; every row must have as many; if its commas are",
        ),
        (
            "x,y\n1,5,2\n",
            "line 2 has 3 cells, but line 1 has 2; every row must have as many; if its commas are",
        ),
        ("x,y\n1.5,2,3\n", "line 2 has 3 cells, but line 1 has 2; every row must have as many"),
        (",x,y\n0,1,2\n", "line 1, column 1: the header has no name here; if pandas"),
    ] {
        let error = csv_file::parse(text.as_bytes(), None).unwrap_err();
        assert!(error.starts_with(want), "{text:?}: {error}");
    }
    // Whole numbers in their own right are read: no zero stands where none is written, or it stands before a comma too.
    for text in [
        "1,5,2,5\n3,1,4,1\n",
        "10,0,20,0\n",
        "007,05\n012,11\n",
        "1,05,7\n",
        "1.0,05\n",
        "1,-05\n",
        "5\n05\n",
    ] {
        assert!(csv_file::parse(text.as_bytes(), None).is_ok(), "{text:?}");
    }
    assert_eq!(csv_file::parse(b"1,2\n\xff,3\n", None).unwrap_err(), "line 2 is not UTF-8 text");
}

#[test]
fn arrays_of_every_version_and_width_are_read() {
    let body: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    for version in [1, 2, 3] {
        let column = npy(version, &header("'<f4'", "False", "(2,)"), &body);
        assert_eq!(npy_file::parse(&column).unwrap(), Points::new(1, vec![1.5, -2.0]));
    }
    let unusual = npy(1, "{\"shape\":(1,2),\"fortran_order\":False,\"descr\":\"<f4\"}", &body);
    assert_eq!(npy_file::parse(&unusual).unwrap(), Points::new(2, vec![1.5, -2.0]));
    let row = npy(1, &header("'<f8'", "False", "(1, 1)"), &0.1f64.to_le_bytes());
    assert_eq!(npy_file::parse(&row).unwrap(), Points::new(1, vec![0.1]));
}

#[test]
fn bad_arrays_are_refused_with_advice() {
    let good = npy(1, &header("'<f8'", "False", "(1, 1)"), &[0; 8]);
    let array = |descr: &str, order: &str, shape: &str| npy(1, &header(descr, order, shape), &[0; 8]);
    let huge = "(9223372036854775808, 9223372036854775808)";
    for (bytes, want) in [
        (vec![], "this is not an NPY file; write one with np.save"),
        (b"PK\x03\x04".to_vec(), "this is not an NPY file"),
        (good[..7].to_vec(), "the NPY file is cut short within its header"),
        (good[..9].to_vec(), "the NPY file is cut short within its header"),
        (good[..40].to_vec(), "the NPY file is cut short within its header"),
        (good[..good.len() - 1].to_vec(), "the shape (1, 1) takes 8 bytes, but 7 follow the header"),
        ([&good[..], &[0]].concat(), "the shape (1, 1) takes 8 bytes, but 9 follow the header"),
        (npy(4, &header("'<f8'", "False", "(1, 1)"), &[0; 8]), "the NPY file is of version 4, but"),
        (
            array("'>f8'", "False", "(1, 1)"),
            "the array is of type >f8, but points are <f8 or <f4; np.save(path, x.astype('<f8'))",
        ),
        (array("'<i8'", "False", "(1, 1)"), "the array is of type <i8"),
        (array("'<f2'", "False", "(4, 1)"), "the array is of type <f2"),
        (array("'|O'", "False", "(1, 1)"), "the array is of type |O"),
        (
            array("[('x, y', '<f4'), ('z', '<f4')]", "False", "(1,)"),
            "the array is of type [('x, y', '<f4'), ('z', '<f4')], but",
        ),
        (
            array("'<f8'", "True", "(1, 1)"),
            "the array is in Fortran order; np.save(path, np.ascontiguousarray(x))",
        ),
        (
            array("'<f8'", "Maybe", "(1, 1)"),
            "the header of the NPY file has no fortran_order that can be read",
        ),
        (array("'<f8'", "False", "(1, 1, 1)"), "the array has the shape (1, 1, 1), but points are (n, d)"),
        (array("'<f8'", "False", "()"), "the array has the shape (), but"),
        (array("'<f8'", "False", "(0, 2)"), "the array has the shape (0, 2), so there are no points"),
        (array("'<f8'", "False", "(2, 0)"), "the array has the shape (2, 0), so there are no points"),
        (array("'<f8'", "False", "(-1, 2)"), "the header of the NPY file has no shape that can be read"),
        (array("'<f8'", "False", "3"), "the header of the NPY file has no shape that can be read"),
        (array("'<f8'", "False", huge), "the shape (9223372036854775808, 9223372036854775808) takes"),
        (npy(1, "{'shape': (1, 1)}", &[0; 8]), "the header of the NPY file has no descr that can be read"),
        (
            npy(1, "{'descr': '<f8', 'fortran_order': False}", &[0; 8]),
            "the header of the NPY file has no shape",
        ),
        (
            npy(1, &header("'<f8'", "False", "(1, 1)"), &f64::NAN.to_le_bytes()),
            "the value at [0, 0] is NaN, but points must be finite",
        ),
        (
            npy(1, &header("'<f4'", "False", "(1, 2)"), &[0, 0, 0, 0, 0, 0, 128, 255]),
            "the value at [0, 1] is -inf",
        ),
    ] {
        let error = npy_file::parse(&bytes).unwrap_err();
        assert!(error.starts_with(want), "{error}");
    }
    let mut garbled = good;
    garbled[12] = 0xff;
    assert!(npy_file::parse(&garbled).unwrap_err().contains("no text"));
}
