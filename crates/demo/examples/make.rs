//! Generates a demo lake and prints the time of each phase: `make DIR [SCALE [TPCH [TPCDS]]]`.

use std::time::Instant;

use lakegate_demo::{DemoOptions, generate};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut options = DemoOptions::new(arguments.next().ok_or("give a directory")?);
    let mut number = || arguments.next().map(|text| text.parse::<f64>()).transpose();
    options.scale = number()?.unwrap_or(options.scale);
    options.tpch = number()?;
    options.tpcds = number()?;

    let start = Instant::now();
    let outcome = generate(&options, &mut |progress| {
        if progress.done == progress.total {
            println!(
                "{:>8.2?} {} {}",
                start.elapsed(),
                progress.phase,
                progress.total
            );
        }
    })?;
    println!("{:>8.2?} {outcome:?}", start.elapsed());
    Ok(())
}
