//! picket-fence
